#!/usr/bin/env python3
"""Writes evidence.json: e-values of given micro-nats, computed twice and independently of FFE's code.

"exact" is E in rational arithmetic (as the floor of E and as E * 10^12, both decimal strings); "double"
is the rule of docs/spec/gate.md in IEEE doubles as Python has them: [mantissa as hex float, exponent];
its "suspicion" is E against the smaller tolerances that exclude.
Run: python3 generate.py > evidence.json
"""
import json
import math
import random

BETS = [9800, 6000, 3000, 1500, 750, 375]
LOW, HIGH = -500_000, 1_000_000


def exact(values, tolerance):
    """(numerator, denominator) of E^s."""
    den = 10_000 * (500_000 + tolerance)
    total = 0
    for bet in BETS:
        product = 1
        for v in values:
            product *= den + bet * (v - tolerance)
        total += product
    return total, 6 * den ** len(values)


class Scaled:
    def __init__(self, value, exponent=0):
        self.m, e = math.frexp(value)
        self.e = 0 if self.m == 0 else e + exponent

    def times(self, f):
        return Scaled(self.m * f, self.e)

    def divided(self, d):
        return Scaled(self.m / d, self.e)

    def plus(self, o):
        if o.m == 0:
            return self
        if self.m == 0:
            return o
        if o.e > self.e:
            return o.plus(self)
        if o.e - self.e < -60:
            return self
        return Scaled(self.m + math.ldexp(o.m, o.e - self.e), self.e)


def double(values, tolerance):
    den = 10_000 * (500_000 + tolerance)
    total = Scaled(0.0)
    for bet in BETS:
        product = Scaled(1.0)
        for v in values:
            product = product.times((den + bet * (v - tolerance)) / den)
        total = total.plus(product)
    return total.divided(6.0)


def suspicion_tolerance(tolerance):
    return min(tolerance, max(50_000, tolerance * 2 // 3))


def text(num, den):
    return {"floor": str(num // den), "e12": str(num * 10**12 // den)}


def case(name, harm, harm_tolerance, lost, lost_tolerance):
    harm, lost = sorted(harm), sorted(lost)
    n1, d1 = exact(harm, harm_tolerance)
    n2, d2 = exact(lost, lost_tolerance)
    s1, s2 = double(harm, harm_tolerance), double(lost, lost_tolerance)
    both = s1.plus(s2).divided(2.0)
    suspicion = double(harm, suspicion_tolerance(harm_tolerance)).plus(
        double(lost, suspicion_tolerance(lost_tolerance))).divided(2.0)
    bits = lambda s: [s.m.hex(), s.e]
    return {
        "name": name, "harm": harm, "harmTolerance": harm_tolerance,
        "relevanceLost": lost, "relevanceTolerance": lost_tolerance,
        "exact": {"harm": text(n1, d1), "relevanceLost": text(n2, d2),
                  "combined": text(n1 * d2 + n2 * d1, 2 * d1 * d2)},
        "double": {"harm": bits(s1), "relevanceLost": bits(s2), "combined": bits(both),
                   "suspicion": bits(suspicion)},
    }


rng = random.Random(7857)


def normal(n, mean, sd):
    return [min(HIGH, max(LOW, math.floor(rng.gauss(mean, sd) * 1e6))) for _ in range(n)]


cases = [
    case("empty", [], 60_000, [], 60_000),
    case("one zero", [0], 60_000, [0], 50_000),
    case("at tolerance", [60_000] * 32, 60_000, [50_000] * 32, 50_000),
    case("all lowest", [LOW] * 32, 60_000, [LOW] * 32, 60_000),
    case("all highest", [HIGH] * 32, 60_000, [HIGH] * 32, 60_000),
    case("highest, widest tolerance", [HIGH] * 48, 499_999, [LOW] * 48, 0),
    case("saturating", [HIGH] * 96, 60_000, [HIGH] * 96, 60_000),
    case("4096 lowest and highest", [LOW] * 2048 + [HIGH] * 2048, 60_000, [LOW] * 4096, 60_000),
]
for name, m1, s1, m2, s2 in [
    ("honest, same topic", -0.056, 0.09, 0.020, 0.07),
    ("honest, few rows", -0.014, 0.03, -0.009, 0.03),
    ("honest, other topic", -0.023, 0.10, 0.016, 0.11),
    ("honest, arithmetic", 0.040, 0.10, -0.011, 0.11),
    ("shuffled", 0.023, 0.15, 0.347, 0.25),
    ("half shuffled", -0.038, 0.10, 0.151, 0.12),
    ("garbage", 0.225, 0.19, 0.210, 0.24),
    ("constant", 0.104, 0.11, 0.036, 0.11),
]:
    cases.append(case(name, normal(96, m1, s1), 60_000, normal(96, m2, s2), 60_000))
    cases.append(case(name + ", δ 0.05, 32 pairs", normal(32, m1, s1), 50_000, normal(32, m2, s2), 50_000))
for i in range(8):
    n = rng.choice([32, 64, 200])
    draw = lambda: [rng.randint(LOW, HIGH) if rng.random() < 0.2 else rng.randint(-200_000, 300_000) for _ in range(n)]
    cases.append(case(f"random {i}", draw(), rng.randint(50_000, 499_999), draw(), rng.randint(50_000, 499_999)))

rows = ",\n".join("    " + json.dumps(c, separators=(",", ":"), ensure_ascii=False) for c in cases)
print('{\n  "about": "e-values; see generate.py",\n  "cases": [\n' + rows + "\n  ]\n}")
