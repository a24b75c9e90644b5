//! A [`Plot`] as SVG: layout, marks, legend and the style sheet.
//!
//! Coordinates are written with one decimal, so that a page stays small. All text is escaped.

use std::fmt::Write as _;

use super::axis::{Axis, Fitted};
use super::series::{Layer, Mark, thin};
use super::{Plot, Scale};
use crate::escape::Escaped;

/// The style sheet of every picture. A page includes it once.
///
/// The colours are told apart with the common kinds of colour blindness, and by lightness on paper.
pub(crate) const STYLE: &str = "\
.plot{--ink:#1b2430;--soft:#5d6878;--grid:#e7eaef;--axis:#b8c0cb;--blue:#2f6fde;--orange:#d9730d;--green:#12866b;--violet:#7c55cf;--red:#cf3f4f;--grey:#8a94a3;\
font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px}\
@media (prefers-color-scheme: dark){.plot{--ink:#e8ecf2;--soft:#9aa5b5;--grid:#2a323e;--axis:#4a5566;--blue:#6ea3ff;--orange:#f2a154;--green:#45c6a3;--violet:#b39bff;--red:#ff7b86;--grey:#8f9aab}}\
.plot text{fill:var(--soft)}.plot .title{fill:var(--ink);font-size:14px;font-weight:600}.plot .num{font-variant-numeric:tabular-nums}\
.plot .grid{stroke:var(--grid);stroke-width:1;fill:none}.plot .base{stroke:var(--axis);stroke-width:1;fill:none}\
.plot .c-blue{--c:var(--blue)}.plot .c-orange{--c:var(--orange)}.plot .c-green{--c:var(--green)}.plot .c-violet{--c:var(--violet)}.plot .c-red{--c:var(--red)}.plot .c-grey{--c:var(--grey)}\
.plot .line{fill:none;stroke:var(--c);stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}\
.plot .lone{fill:none;stroke:var(--c);stroke-width:5;stroke-linecap:round}\
.plot .band{fill:var(--c);fill-opacity:.16;stroke:none}.plot .bars{fill:var(--c);fill-opacity:.72;stroke:none}\
.plot .rule{stroke:var(--c);stroke-width:1.25;stroke-dasharray:5 3;fill:none}.plot .note{fill:var(--c);font-weight:600;paint-order:stroke;stroke:var(--card,Canvas);stroke-width:4px;stroke-linejoin:round}";

/// Width of a band at a point that stands alone: that of its dots, in user units.
const LONE_WIDTH: f64 = 5.0;

/// Where the axes stand within the picture.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Fitted,
    y: Fitted,
}

impl Frame {
    fn new(plot: &Plot, top: f64) -> Self {
        let (width, height) = (f64::from(plot.size.0), f64::from(plot.size.1));
        let bottom = height - 40.0;
        let y_values = plot.layers.iter().flat_map(|l| l.mark.ys());
        let y = plot.y.fit(y_values, ((bottom - top) / 45.0).round().max(2.0) as usize);
        let widest = y.ticks.iter().map(|(_, text)| text_width(text)).fold(0.0, f64::max);
        let left = (widest + 14.0).max(36.0);
        let right = width - 16.0;
        let x_values = plot.layers.iter().flat_map(|l| l.mark.xs());
        let x = plot.x.fit(x_values, ((right - left) / 80.0).round().max(2.0) as usize);
        Self { left, right, top, bottom, x, y }
    }

    fn x(&self, value: f64) -> Option<f64> {
        Some(self.left + self.x.place(value)? * (self.right - self.left))
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(self.bottom - self.y.place(value)? * (self.bottom - self.top))
    }

    fn point(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x(x)?, self.y(y)?))
    }

    fn columns(&self) -> usize {
        (self.right - self.left) as usize
    }
}

/// Draws the picture. Writing to a string cannot fail, so results of `write!` are dropped.
pub(super) fn draw(plot: &Plot) -> String {
    let mut out = String::with_capacity(8 * 1024);
    let id = identifier(plot);
    let (width, height) = plot.size;
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-t {id}-d\">"
    );
    let description = if plot.description.is_empty() { &plot.subtitle } else { &plot.description };
    let _ = write!(
        out,
        "<title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        Escaped(&plot.title),
        Escaped(description)
    );
    let top = head(&mut out, plot);
    let frame = Frame::new(plot, top);
    grid(&mut out, plot, &frame);
    if plot.is_empty() {
        let (x, y) = (f64::midpoint(frame.left, frame.right), f64::midpoint(frame.top, frame.bottom));
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">no data</text>");
    }
    for layer in &plot.layers {
        mark(&mut out, layer, &frame);
    }
    // Rules come last, so that their labels are never covered; vertical ones take turns in height.
    let mut row = 0;
    for layer in &plot.layers {
        match &layer.mark {
            Mark::At(x, label) => {
                let height = label_height(plot, *x, label, row, &frame);
                rule_at(&mut out, layer, *x, label, height, &frame);
                row = (row + 1) % 3;
            }
            Mark::Level(y, label) => rule_level(&mut out, layer, *y, label, &frame),
            _ => {}
        }
    }
    out.push_str("</svg>");
    out
}

/// Title, subtitle and legend; gives back where the axes may begin.
fn head(out: &mut String, plot: &Plot) -> f64 {
    let mut y = 18.0;
    let _ = write!(out, "<text class=\"title\" x=\"0\" y=\"{y}\">{}</text>", Escaped(&plot.title));
    if !plot.subtitle.is_empty() {
        y += 18.0;
        let _ = write!(out, "<text x=\"0\" y=\"{y}\">{}</text>", Escaped(&plot.subtitle));
    }
    y += 20.0;
    let _ = write!(out, "<text x=\"0\" y=\"{y}\">{}</text>", Escaped(&plot.y.label));
    // The legend stands right-aligned on the line of the y axis's label.
    let named: Vec<&Layer> = plot.layers.iter().filter(|l| !l.name.is_empty()).collect();
    let wide: f64 = named.iter().map(|l| text_width(&l.name) + 34.0).sum();
    let mut x = f64::from(plot.size.0) - 16.0 - wide;
    for layer in named {
        let class = layer.colour.class();
        let (form, mid) = (form(&layer.mark), y - 4.0);
        let _ = match form {
            "band" | "bars" => write!(
                out,
                "<rect class=\"{form} {class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"16\" height=\"8\"/>",
                mid - 4.0
            ),
            _ => write!(out, "<path class=\"{form} {class}\" d=\"M{x:.1} {mid:.1}h16\"/>"),
        };
        let _ = write!(out, "<text x=\"{:.1}\" y=\"{y}\">{}</text>", x + 21.0, Escaped(&layer.name));
        x += text_width(&layer.name) + 34.0;
    }
    y + 14.0
}

fn grid(out: &mut String, plot: &Plot, frame: &Frame) {
    let Frame { left, right, bottom, .. } = *frame;
    for (value, text) in &frame.y.ticks {
        let Some(y) = frame.y(*value) else { continue };
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>\
             <text class=\"num\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left - 7.0,
            y + 4.0
        );
    }
    let _ = write!(out, "<path class=\"base\" d=\"M{left:.1} {bottom:.1}H{right:.1}\"/>");
    let mut free_from = f64::NEG_INFINITY;
    for (value, text) in &frame.x.ticks {
        let Some(x) = frame.x(*value) else { continue };
        let half = text_width(text) / 2.0;
        let _ = write!(out, "<path class=\"base\" d=\"M{x:.1} {bottom:.1}v4\"/>");
        // Texts that would overlap are left out; their tick stays.
        if x - half < free_from {
            continue;
        }
        free_from = x + half + 6.0;
        let _ = write!(
            out,
            "<text class=\"num\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 17.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        bottom + 34.0,
        Escaped(&axis_label(&plot.x))
    );
}

fn axis_label(axis: &Axis) -> String {
    match axis.scale {
        Scale::Log => format!("{}, log scale", axis.label),
        _ => axis.label.clone(),
    }
}

fn form(mark: &Mark) -> &'static str {
    match mark {
        Mark::Line(_) => "line",
        Mark::Band(_) | Mark::Area(_) => "band",
        Mark::Bars(_) => "bars",
        Mark::At(..) | Mark::Level(..) => "rule",
    }
}

fn mark(out: &mut String, layer: &Layer, frame: &Frame) {
    let data = match &layer.mark {
        Mark::Line(points) => line(points, frame),
        Mark::Band(points) => band(points, frame),
        Mark::Area(points) => {
            let floor = frame.y.ticks.first().map_or(0.0, |tick| tick.0.min(0.0));
            band(&points.iter().map(|(x, y)| (*x, floor, *y)).collect::<Vec<_>>(), frame)
        }
        Mark::Bars(bars) => bar_paths(bars, frame),
        Mark::At(..) | Mark::Level(..) => return,
    };
    let class = layer.colour.class();
    if !data.is_empty() {
        let _ = write!(out, "<path class=\"{} {class}\" d=\"{data}\"/>", form(&layer.mark));
    }
    if let Mark::Line(points) = &layer.mark {
        let data = lone_points(points, frame);
        if !data.is_empty() {
            let _ = write!(out, "<path class=\"lone {class}\" d=\"{data}\"/>");
        }
    }
}

/// The pieces that a line breaks into, thinned and placed.
fn pieces(points: &[(f64, f64)], frame: &Frame) -> Vec<Vec<(f64, f64)>> {
    let placed: Vec<Option<(f64, f64)>> =
        thin(points, frame.columns()).into_iter().map(|point| frame.point(point)).collect();
    let pieces = placed.split(Option::is_none).filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.iter().copied().flatten().collect()).collect()
}

fn line(points: &[(f64, f64)], frame: &Frame) -> String {
    let mut data = String::new();
    for piece in pieces(points, frame).iter().filter(|piece| piece.len() > 1) {
        for (index, (x, y)) in piece.iter().enumerate() {
            let _ = write!(data, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
    }
    data
}

/// The points of a line's pieces that are too short to see: dots, strokes of no length with round ends.
fn lone_points(points: &[(f64, f64)], frame: &Frame) -> String {
    let mut data = String::new();
    for piece in pieces(points, frame) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
        if (last.0 - first.0).abs() > 2.0 * LONE_WIDTH {
            continue;
        }
        for (x, y) in piece {
            let _ = write!(data, "M{x:.1} {y:.1}h0");
        }
    }
    data
}

fn band(points: &[(f64, f64, f64)], frame: &Frame) -> String {
    let mut data = String::new();
    let place = |(x, low, high): &(f64, f64, f64)| Some((frame.x(*x)?, frame.y(*low)?, frame.y(*high)?));
    let placed: Vec<Option<(f64, f64, f64)>> = points.iter().map(place).collect();
    for run in placed.split(Option::is_none) {
        let run: Vec<(f64, f64, f64)> = run.iter().copied().flatten().collect();
        let Some((first, rest)) = run.split_first() else { continue };
        if rest.is_empty() {
            // Without a neighbour it would have no width, and so not be seen.
            let (x, low, high) = *first;
            let _ = write!(
                data,
                "M{:.1} {high:.1}H{:.1}V{low:.1}H{0:.1}Z",
                x - LONE_WIDTH / 2.0,
                x + LONE_WIDTH / 2.0
            );
            continue;
        }
        let _ = write!(data, "M{:.1} {:.1}", first.0, first.2);
        for (x, _, high) in rest {
            let _ = write!(data, "L{x:.1} {high:.1}");
        }
        for (x, low, _) in run.iter().rev() {
            let _ = write!(data, "L{x:.1} {low:.1}");
        }
        data.push('Z');
    }
    data
}

fn bar_paths(bars: &[(f64, f64, f64)], frame: &Frame) -> String {
    let mut data = String::new();
    for (from, to, height) in bars.iter().filter(|bar| bar.2 > 0.0) {
        let (Some(left), Some(right), Some(top)) = (frame.x(*from), frame.x(*to), frame.y(*height)) else {
            continue;
        };
        // A hair between bars, as long as there is room for one.
        let gap = if right - left > 4.0 { 0.5 } else { 0.0 };
        let _ = write!(
            data,
            "M{:.1} {:.1}V{top:.1}H{:.1}V{:.1}Z",
            left + gap,
            frame.bottom,
            right - gap,
            frame.bottom
        );
    }
    data
}

/// Where a vertical rule's label stands: at the top, below the labels before it, or just above the
/// axis where a line runs through that place.
fn label_height(plot: &Plot, at: f64, label: &str, row: u8, frame: &Frame) -> f64 {
    let top = frame.top + 10.0 + 15.0 * f64::from(row);
    let Some(x) = frame.x(at) else { return top };
    let reach = text_width(label) * 1.1 + 8.0;
    let lines = plot.layers.iter().filter_map(|layer| match &layer.mark {
        Mark::Line(points) => Some(points),
        _ => None,
    });
    let is_crossed = lines
        .flatten()
        .filter_map(|point| frame.point(*point))
        .any(|(line_x, line_y)| (line_x - x).abs() <= reach && (line_y - (top - 4.0)).abs() <= 12.0);
    if is_crossed { frame.bottom - 8.0 - 15.0 * f64::from(row) } else { top }
}

fn rule_at(out: &mut String, layer: &Layer, at: f64, label: &str, text_y: f64, frame: &Frame) {
    let Some(x) = frame.x(at).filter(|_| frame.x.holds(at)) else { return };
    let class = layer.colour.class();
    let near_right = x + text_width(label) + 8.0 > frame.right;
    let (text_x, anchor) = if near_right { (x - 5.0, "end") } else { (x + 5.0, "start") };
    let _ = write!(
        out,
        "<path class=\"rule {class}\" d=\"M{x:.1} {:.1}V{:.1}\"/>\
         <text class=\"note {class}\" x=\"{text_x:.1}\" y=\"{text_y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        frame.bottom,
        frame.top,
        Escaped(label)
    );
}

fn rule_level(out: &mut String, layer: &Layer, at: f64, label: &str, frame: &Frame) {
    let Some(y) = frame.y(at).filter(|_| frame.y.holds(at)) else { return };
    let class = layer.colour.class();
    let text_y = if y - frame.top < 16.0 { y + 14.0 } else { y - 5.0 };
    let _ = write!(
        out,
        "<path class=\"rule {class}\" d=\"M{:.1} {y:.1}H{:.1}\"/>\
         <text class=\"note {class}\" x=\"{:.1}\" y=\"{text_y:.1}\" text-anchor=\"end\">{}</text>",
        frame.left,
        frame.right,
        frame.right - 4.0,
        Escaped(label)
    );
}

/// About how wide a text of 12 px is; a layout without font metrics cannot know better.
fn text_width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii_punctuation() || c == 'i' || c == 'l' { 4.2 } else { 6.8 }).sum()
}

/// An id for the title and description: equal only for pictures of equal title and axes.
fn identifier(plot: &Plot) -> String {
    let text = format!("{}|{}|{}", plot.title, plot.x.label, plot.y.label);
    // FNV-1a: stable between builds, which the standard library's hasher does not promise.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("p{:08x}", hash >> 32)
}
