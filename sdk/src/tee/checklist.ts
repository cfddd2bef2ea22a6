// The ordered checks of one verification: a list that starts as "not evaluated" and is filled in.
import { FFEError } from '../base/errors.js';

export interface Check {
  name: string;
  state: 'passed' | 'failed' | 'not evaluated';
  detail: string;
  /** What to do about a failure. */
  advice: string;
}

/** Thrown by {@link Checklist.require}: everything after stands on what failed. */
export class Stop extends Error {}

export class Checklist {
  readonly checks: Check[];

  constructor(names: readonly string[]) {
    this.checks = names.map((name) => ({ name, state: 'not evaluated', detail: '', advice: '' }));
  }

  private find(name: string): Check {
    const check = this.checks.find((c) => c.name === name);
    if (check === undefined) throw new FFEError('internal', `no check is named ${name}`);
    return check;
  }

  /** `body` returns what it found, or throws: then the check fails and this returns false. No other
   * exception escapes either: hostile input must end in a verdict. */
  async evaluate(name: string, body: () => string | Promise<string>): Promise<boolean> {
    const check = this.find(name);
    try {
      check.detail = await body();
      check.state = 'passed';
      return true;
    } catch (error) {
      check.state = 'failed';
      if (error instanceof FFEError) {
        check.detail = error.message;
        check.advice = error.hint;
      } else {
        check.detail = `unexpected: ${String(error)}`;
      }
      if (check.advice === '') check.advice = 'fetch the quote and its collateral again';
      return false;
    }
  }

  async require(name: string, body: () => string | Promise<string>): Promise<void> {
    if (!(await this.evaluate(name, body))) throw new Stop();
  }

  skip(name: string, why: string): void {
    this.find(name).detail = why;
  }
}
