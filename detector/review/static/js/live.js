// Events from the server, as they happen. A hidden page listens to nothing: browsers allow six connections a host.

const listeners = new Map();
let source = null;
let closing = 0;

/** Calls `heard(data)` at every event of the kind: "claim", "release", "moved" or "filed". */
export function on(kind, heard) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(heard);
  if (source) listen(kind);
  else open();
}

function open() {
  if (source || document.hidden) return;
  source = new EventSource("/api/v1/events");
  for (const kind of listeners.keys()) listen(kind);
}

const attached = new WeakMap();

function listen(kind) {
  const kinds = attached.get(source) ?? new Set();
  if (kinds.has(kind)) return;
  kinds.add(kind);
  attached.set(source, kinds);
  source.addEventListener(kind, (event) => {
    const data = JSON.parse(event.data);
    for (const heard of listeners.get(kind)) heard(data);
  });
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(closing);
  if (!document.hidden) open();
  else
    closing = setTimeout(() => {
      source?.close();
      source = null;
    }, 30_000);
});
addEventListener("pagehide", () => source?.close());
