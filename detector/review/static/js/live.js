// Events from the server, as they happen. A hidden page listens to nothing: browsers allow six connections a host.
// A page at which nobody has moved a hand for long listens to nothing either, so that the session can time out.

const IDLE_MS = 20 * 60_000;

const listeners = new Map();
let source = null;
let closing = 0;
let active = performance.now();

/** Calls `heard(data)` at every event of the kind: "claim", "release", "moved" or "filed". */
export function on(kind, heard) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(heard);
  if (source) listen(kind);
  else open();
}

function open() {
  if (source || document.hidden || idle()) return;
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

/** Whether nobody has touched this page for a long while. */
export function idle() {
  return performance.now() - active > IDLE_MS;
}

for (const kind of ["keydown", "pointerdown", "pointermove"]) {
  addEventListener(kind, () => {
    active = performance.now();
    if (listeners.size) open();
  }, { passive: true });
}
setInterval(() => idle() && shut(), 60_000);

function shut() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(closing);
  if (!document.hidden) open();
  else
    closing = setTimeout(shut, 30_000);
});
addEventListener("pagehide", shut);
