// Saves decisions behind the reviewer's back, in order, and tries again while the server cannot be reached.

import { get, post } from "./api.js";

const WAITS_MS = [500, 1000, 2000, 5000];

export class Saver {
  /** `told` has offline(), online(), signedOut(). */
  constructor(told) {
    this.told = told;
    this.chain = Promise.resolve();
    this.waiting = 0;
    addEventListener("beforeunload", (event) => {
      if (this.waiting) event.preventDefault();
    });
  }

  /** Posts once everything before it is through. Resolves to the answer; rejects with Refused where it was refused. */
  post(path, body, alreadyDone = async () => null) {
    this.waiting += 1;
    const saved = this.chain.then(() => this.#persist(path, body, alreadyDone));
    this.chain = saved.catch(() => {}).finally(() => (this.waiting -= 1));
    return saved;
  }

  async #persist(path, body, alreadyDone) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await post(path, body);
        if (attempt) this.told.online();
        return answer;
      } catch (refused) {
        if (refused.status === 401) this.told.signedOut();
        // The first attempt may have been saved and its answer lost.
        if (refused.status === 409 && attempt) {
          const done = await alreadyDone();
          if (done) return done;
        }
        if (![0, 401, 502, 503, 504].includes(refused.status)) throw refused;
        if (!attempt && refused.status !== 401) this.told.offline();
        await new Promise((done) => setTimeout(done, WAITS_MS[Math.min(attempt, WAITS_MS.length - 1)]));
      }
    }
  }
}

/** For `alreadyDone`: the issue, if it stands where the move leads and the move was made on the version seen. */
export async function movedAlready(id, state, version) {
  const issue = await get(`/api/v1/issues/${id}`);
  return issue.state === state && issue.version === version + 1 ? issue : null;
}
