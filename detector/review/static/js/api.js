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

/** A form with files, or a file alone. */
export const upload = (path, body, options = {}) => call("POST", path, body, options);

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
