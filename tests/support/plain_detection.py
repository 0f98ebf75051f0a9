"""Average precision one box at a time, the plain twin of `contralto.metrics.detection`: no arrays, no running sums."""

from __future__ import annotations

import random
from collections import defaultdict


def overlap(a, b, crowd=False):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = area_a if crowd else area_a + area_b - shared
    return shared / whole if whole > 0 else 0.0


def judged(detected, true, limit, top=None):
    """[(score, right)] of one class, without those that are neither; detected: (picture, score, box); true: (picture,
    box, crowd)."""
    verdicts = []
    by_picture = defaultdict(list)
    for picture, score, box in detected:
        by_picture[picture].append((score, box))
    for picture, several in by_picture.items():
        theirs = [(box, crowd) for owner, box, crowd in sorted(true) if owner == picture]

        def best(box, theirs=theirs):
            return max((overlap(box, one, crowd) for one, crowd in theirs), default=0.0)

        taken = set()
        for score, box in sorted(several, key=lambda one: (-one[0], best(one[1]), one[1]))[:top]:
            free = [(overlap(box, one), -i) for i, (one, crowd) in enumerate(theirs) if not crowd and i not in taken]
            free = [pair for pair in free if pair[0] >= limit]
            if free:
                taken.add(-max(free)[1])
                verdicts.append((score, True))
            elif not any(crowd and overlap(box, one, True) >= limit for one, crowd in theirs):
                verdicts.append((score, False))
    return sorted(verdicts, key=lambda one: (-one[0], one[1]))  # among equals the wrong one first


def area(verdicts, positives):
    """The area under precision made monotone, at all points."""
    hits, precisions = 0, []
    for count, (_, right) in enumerate(verdicts, 1):
        hits += right
        precisions.append((right, hits / count))
    return sum(max(p for _, p in precisions[i:]) for i, (right, _) in enumerate(precisions) if right) / positives


def at_recalls(verdicts, positives, recalls):
    """The mean over the highest precision at each recall or above, 0 where it is not reached."""
    hits, points = 0, []
    for count, (_, right) in enumerate(verdicts, 1):
        hits += right
        points.append((hits / positives, hits / count))
    return sum(max((p for r, p in points if r >= recall), default=0.0) for recall in recalls) / len(recalls)


def scenes(seed, pictures=6, classes=2, ties=False, crowds=False):
    """Random true boxes, and detected ones near some of them: (detected, true), tuples with the class first."""
    chance = random.Random(seed)
    detected, true = [], []
    for picture in range(pictures):
        for _ in range(chance.randrange(5)):
            x, y, w, h = chance.uniform(0, 60), chance.uniform(0, 60), chance.uniform(10, 40), chance.uniform(10, 40)
            label = chance.randrange(classes)
            true.append((label, picture, (x, y, x + w, y + h), crowds and chance.random() < 0.25))
            for _ in range(chance.randrange(4)):
                dx, dy, dw, dh = (chance.gauss(0, 4) for _ in range(4))
                box = (x + dx, y + dy, x + dx + max(w + dw, 1), y + dy + max(h + dh, 1))
                detected.append((label, picture, chance.random(), box))
        for _ in range(chance.randrange(4)):
            x, y = chance.uniform(0, 80), chance.uniform(0, 80)
            detected.append((chance.randrange(classes), picture, chance.random(), (x, y, x + 20, y + 25)))
    if ties:
        detected = [(label, picture, round(score, 1), box) for label, picture, score, box in detected]
    return detected, true
