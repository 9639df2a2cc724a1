// How pages talk to /api/v1: with the cookie of the session and the token against forged requests.

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

/** What the server refused. `status` 0 means that it was not reached. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.error || String(status));
    this.status = status;
    this.problem = problem;
  }
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}, options = {}) => call("POST", path, body, options);
export const put = (path, body = {}) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);

/** A form with files, or a file alone; `progress` is told the share that has been sent. */
export const upload = (path, body, { progress } = {}) => (progress ? sentSlowly(path, body, progress) : call("POST", path, body));

/** fetch() does not tell how far an upload is. */
function sentSlowly(path, body, progress) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => event.total && progress(event.loaded / event.total));
    request.addEventListener("error", () => failed(new Refused(0, { error: "offline" })));
    request.addEventListener("load", () => {
      if (request.status < 300) done(request.response);
      else failed(new Refused(request.status, request.response ?? {}));
    });
    request.send(body);
  });
}

export async function call(method, path, body, { keepalive = false } = {}) {
  const plain = body === undefined || body instanceof FormData || body instanceof Blob;
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body instanceof Blob) headers["Content-Type"] = "application/octet-stream";
  else if (!plain) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      keepalive,
      credentials: "same-origin",
      body: plain ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, { error: "offline" });
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
