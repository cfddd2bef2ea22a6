// E-values of the gate (docs/spec/gate.md): IEEE 754 doubles in a fixed order of operations, so that
// the bits are those of the C++ code.
import { FFEError } from '../base/errors.js';

export const clipLow = -500_000;
export const clipHigh = 1_000_000;
const BETS = [9800, 6000, 3000, 1500, 750, 375];
const BET_SCALE = 10_000;
/** Suspicion that excludes, gain that is one. */
export const enough = 20n;
const LEAST_TOLERANCE = 50_000;

/** mantissa · 2^exponent with the mantissa in [0.5, 1), or zero. */
export interface EValue {
  mantissa: number;
  exponent: number;
}

const view = new DataView(new ArrayBuffer(8));

// frexp of a positive normal double, or of zero.
function normal(value: number, exponent = 0): EValue {
  if (value === 0) return { mantissa: 0, exponent: 0 };
  view.setFloat64(0, value);
  const high = view.getUint32(0);
  const power = ((high >>> 20) & 0x7ff) - 1022;
  view.setUint32(0, (high & 0x800fffff) | (1022 << 20));
  return { mantissa: view.getFloat64(0), exponent: exponent + power };
}

const times = (a: EValue, factor: number): EValue => normal(a.mantissa * factor, a.exponent);
const dividedBy = (a: EValue, divisor: number): EValue => normal(a.mantissa / divisor, a.exponent);

function plus(a: EValue, b: EValue): EValue {
  if (b.mantissa === 0) return a;
  if (a.mantissa === 0) return b;
  if (b.exponent > a.exponent) return plus(b, a);
  const shift = b.exponent - a.exponent;
  if (shift < -60) return a; // below half a unit in the last place
  return normal(a.mantissa + b.mantissa * 2 ** shift, a.exponent);
}

/** ⌊E⌋, at most 2^128 − 1. */
export function floorOf({ mantissa, exponent }: EValue): bigint {
  if (exponent <= 0) return 0n;
  if (exponent > 128) return (1n << 128n) - 1n;
  const digits = BigInt(mantissa * 2 ** 53);
  return exponent >= 53 ? digits << BigInt(exponent - 53) : digits >> BigInt(53 - exponent);
}

function checkValues(ascending: readonly number[], tolerance: number): void {
  if (!Number.isInteger(tolerance) || tolerance < 0 || tolerance >= -clipLow) {
    throw new FFEError('bad_input', 'tolerance is not from 0 to 499999 micro-nats');
  }
  ascending.forEach((value, i) => {
    if (!Number.isInteger(value) || value < clipLow || value > clipHigh) {
      throw new FFEError('bad_input', `value ${i} is outside -500000 to 1000000 micro-nats`);
    }
    if (i > 0 && value < (ascending[i - 1] as number)) {
      throw new FFEError('bad_input', `value ${i} is out of order`);
    }
  });
}

/** E^s over values that ascend within the clip. @throws FFEError `bad_input` otherwise. */
export function oneSided(ascending: readonly number[], tolerance: number): EValue {
  checkValues(ascending, tolerance);
  const denominator = BET_SCALE * (-clipLow + tolerance);
  let sum: EValue = { mantissa: 0, exponent: 0 };
  for (const bet of BETS) {
    let product = normal(1);
    for (const value of ascending) {
      product = times(product, (denominator + bet * (value - tolerance)) / denominator);
    }
    sum = plus(sum, product);
  }
  return dividedBy(sum, BETS.length);
}

/** Of a tolerance in micro-nats: two thirds of it, but not below the least that terms may have. */
export const suspicionTolerance = (tolerance: number): number =>
  Math.min(tolerance, Math.max(LEAST_TOLERANCE, Math.floor((tolerance * 2) / 3)));

/** ½ (E¹ + E²) */
export const combined = (
  harm: readonly number[],
  harmTolerance: number,
  relevanceLost: readonly number[],
  relevanceTolerance: number,
): EValue =>
  dividedBy(plus(oneSided(harm, harmTolerance), oneSided(relevanceLost, relevanceTolerance)), 2);
