"""Plots as SVG, by hand: lines over a logarithmic axis, and bars."""
import html
import math

COLOURS = ["#1f6f8b", "#d1495b", "#edae49", "#66a182", "#7a5195", "#8d6a4f",
           "#333333", "#00a6a6", "#b0b0b0"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 70, 150, 40, 50


def _text(x, y, text, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{html.escape(text)}</text>'


def _frame(title, body, height=HEIGHT):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="12">'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
            + _text(LEFT, 22, title, 'font-size="15"') + "".join(body)
            + "</svg>\n")


def _decades(low, high):
    return range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)


def lines(title, x_name, y_name, series):
    """series: {name: [(x, y), ...]}, all above 0; both axes logarithmic."""
    points = [p for s in series.values() for p in s if p[1] > 0]
    if not points:
        return _frame(title, [])
    xs = _decades(min(p[0] for p in points), max(p[0] for p in points) * 1.01)
    ys = _decades(min(p[1] for p in points), max(p[1] for p in points))

    def at(value, decades, size):
        span = max(decades[-1] - decades[0], 1)
        return (math.log10(value) - decades[0]) / span * size

    def place(x, y):
        return (LEFT + at(x, xs, WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - at(y, ys, HEIGHT - TOP - BOTTOM))

    body = [_text(WIDTH / 2 - 60, HEIGHT - 12, x_name),
            _text(4, TOP - 4, y_name)]
    for d in xs:
        x, y = place(10.0 ** d, 10.0 ** ys[0])
        body.append(_text(x, y + 18, f"{10 ** d:,}" if d >= 0 else
                          f"{10.0 ** d:g}", 'text-anchor="middle"'))
    for d in ys:
        x, y = place(10.0 ** xs[0], 10.0 ** d)
        body.append(f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{WIDTH - RIGHT}" '
                    f'y2="{y:.0f}" stroke="#ddd"/>')
        body.append(_text(x - 6, y + 4, f"{10.0 ** d:g}",
                          'text-anchor="end"'))
    for i, (name, s) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        spots = [place(*p) for p in s if p[1] > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        body.append(f'<polyline points="{path}" fill="none" '
                    f'stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
                 for x, y in spots]
        body.append(_text(WIDTH - RIGHT + 12, TOP + 18 * i + 10, name,
                          f'fill="{colour}"'))
    return _frame(title, body)


def bars(title, unit, values):
    """values: {name: value}; the longest bar is the largest value."""
    most = max(values.values(), default=1) or 1
    height = TOP + 26 * len(values) + 20
    body = []
    for i, (name, v) in enumerate(values.items()):
        y, width = TOP + 26 * i, (WIDTH - 2 * RIGHT - 60) * v / most
        body.append(_text(RIGHT - 6, y + 14, name, 'text-anchor="end"'))
        body.append(f'<rect x="{RIGHT}" y="{y}" width="{max(width, 1):.1f}" '
                    f'height="18" fill="{COLOURS[i % len(COLOURS)]}"/>')
        body.append(_text(RIGHT + width + 6, y + 14, f"{v:.4g} {unit}"))
    return _frame(title, body, height)
