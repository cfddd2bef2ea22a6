// A cursor over untrusted little-endian bytes.
import { FFEError } from '../base/errors.js';

/** Errors name the field and its offset. */
export class Reader {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
    private readonly origin = 0,
  ) {}

  get offset(): number {
    return this.origin + this.at;
  }
  get left(): number {
    return this.bytes.length - this.at;
  }

  get done(): boolean {
    return this.left === 0;
  }

  take(size: number, field: string): Uint8Array {
    if (size > this.left) {
      throw new FFEError(
        'bad_input',
        `${this.what}: ${field} at offset ${this.offset} needs ${size} bytes, ${this.left} remain`,
        'the data is truncated or of another kind; fetch it again',
      );
    }
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  u16(field: string): number {
    const [low = 0, high = 0] = this.take(2, field);
    return low + high * 256;
  }

  u32(field: string): number {
    return this.u16(field) + this.u16(field) * 65536;
  }
}
