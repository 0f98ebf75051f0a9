"""How the method was chosen: the candidates by their accuracy over the folds, and what the user should know."""

from __future__ import annotations

from contralto.adaptation.page.words import METHOD_WORDS, share
from contralto.adaptation.report import AdaptationReport
from contralto.evaluation.outcome import Figure
from contralto.evaluation.report.plots import interval_track
from contralto.evaluation.report.words import signed, text


def choice(report: AdaptationReport) -> str:
    """The reason in words, a table of the candidates, plainest first, and the notes."""
    described = report.described
    chosen = f"<b>{text(described.method)}</b>: {METHOD_WORDS[described.method]}"
    reason = report.why[:1].upper() + report.why[1:]
    parts = [f'<p class="plain">{chosen}.</p><p class="plain">{text(reason)}. The measured pictures had no say.</p>']
    parts.append(_candidates(report) if report.candidates else "")
    parts.append(_settings(report))
    if report.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{text(note, 1000)}</li>" for note in report.notes)}</ul>')
    return "".join(parts)


def _candidates(report: AdaptationReport) -> str:
    rows = "".join(_candidate(report, name, accuracy) for name, accuracy in report.candidates.items())
    head = '<th scope="col">method</th><th scope="col">in words</th><th scope="col" class="n">over the folds</th>'
    table = f'<table><thead><tr>{head}<th scope="col"></th></tr></thead><tbody>{rows}</tbody></table>'
    return f'{_rule(report)}<div class="scroll" tabindex="0">{table}</div>'


def _candidate(report: AdaptationReport, name: str, accuracy: float) -> str:
    is_chosen = name == report.described.method
    marked = ' class="chosen"' if is_chosen else ""
    words = next((words for method, words in METHOD_WORDS.items() if method == name), "")
    cells = [
        f'<th scope="row">{text(name)}{" ✓" if is_chosen else ""}</th>',
        f'<td class="words soft">{words}</td>',
        f'<td class="n">{share(accuracy)}</td>',
        f"<td>{interval_track(Figure('top1', accuracy, None, None, 0))}</td>",
    ]
    return f"<tr{marked}>{''.join(cells)}</tr>"


def _rule(report: AdaptationReport) -> str:
    """The rule of the choice, and whether it passed over a better candidate."""
    candidates, method = report.candidates, report.described.method
    if len(candidates) < 2:
        return '<p class="about">One method was tried. The folds chose its settings.</p>'
    best = max(candidates, key=lambda name: candidates[name])
    ahead = candidates[best] - candidates.get(method, candidates[best])
    passed = f" {text(best)} was {signed(100 * ahead)} points better: too little to count." if ahead > 0 else ""
    rule = "Plainest first. Of those within one standard error of the best, the plainest is taken."
    return f'<p class="about">{rule}{passed}</p>'


def _settings(report: AdaptationReport) -> str:
    stated = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in report.described.settings.items())
    return f'<p class="note">Settings: {text(stated, 1000)}.</p>' if stated else ""


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
