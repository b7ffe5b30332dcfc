//! The text of the drawing.

use std::fmt::Write;

use crate::chart::{Chart, Kind, Shape};
use crate::layout::{ARROW_TEXT, ARROW_TEXT_GAP, Drawing, HISTORY, LINE, Point, TEXT};
use crate::route::Hop;

const STYLE: &str = "\
text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;fill:#1c2733}\
.t,.l,.a{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}\
.t{font-size:12px;font-weight:bold}\
.l{font-size:11px;fill:#44525f}\
.a{font-size:11px;fill:#0b5394}\
.b{fill:#fff;stroke:#44525f;stroke-width:1.2}\
.c{fill:#f4f7fa}\
.r{stroke-dasharray:5 4}\
.i{fill:none;stroke:#44525f}\
.e{fill:none;stroke:#0b5394;stroke-width:1.2}\
.d{fill:#1c2733}";

pub(crate) fn write(chart: &Chart, routes: &[Vec<Hop>], drawing: &Drawing) -> String {
    let mut writer = Writer(String::new());
    // Texts stand above all lines.
    let mut texts = Writer(String::new());
    let [_, _, width, height] = drawing.boxes[0];
    let name = &chart.shapes[0].title;
    let title = if name.is_empty() { "statechart" } else { name };
    writer.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"h\" viewBox=\"0 0 10 10\" refX=\"9.5\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 1L10 5L0 9z\" fill=\"#0b5394\"/></marker></defs>\n\
         <rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n",
        escaped(title),
        w = width.ceil(),
        h = height.ceil(),
    ));
    for (shape, place) in chart.shapes.iter().zip(&drawing.boxes) {
        writer.shape(shape, *place);
        texts.texts(shape, *place);
    }
    for (number, arrow) in chart.arrows.iter().enumerate() {
        writer.line(&arrow.whole, &drawing.lines[number], routes[number].is_empty());
    }
    for (number, arrow) in chart.arrows.iter().enumerate() {
        if let Some((x, y)) = drawing.labels[number] {
            texts.lines("a", (x + ARROW_TEXT_GAP, y), &arrow.lines);
        }
    }
    writer.0.push_str(&texts.0);
    writer.0.push_str("</svg>\n");
    writer.0
}

struct Writer(String);

impl Writer {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a String does not fail");
    }

    fn shape(&mut self, shape: &Shape, [x, y, width, height]: [f64; 4]) {
        let (middle, centre) = (x + width / 2.0, y + height / 2.0);
        match shape.kind {
            Kind::Root => {}
            Kind::Initial => self.put(format_args!(
                "<circle class=\"d\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n",
                n(middle),
                n(centre),
                n(width / 2.0)
            )),
            Kind::History { deep } => {
                let text = if deep { "H*" } else { "H" };
                self.put(format_args!(
                    "<g><title>{}</title><circle class=\"b\" cx=\"{cx}\" cy=\"{}\" r=\"{}\"/>\
                     <text class=\"t\" x=\"{cx}\" y=\"{}\" text-anchor=\"middle\">{text}</text></g>\n",
                    escaped(&shape.whole),
                    n(centre),
                    n(HISTORY),
                    n(centre + 4.0),
                    cx = n(middle),
                ));
            }
            Kind::State | Kind::Region | Kind::Final => {
                let container = if shape.children.is_empty() { "" } else { " c" };
                let region = if shape.kind == Kind::Region { " r" } else { "" };
                self.put(format_args!(
                    "<g><title>{}</title><rect class=\"b{container}{region}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/></g>\n",
                    escaped(&shape.whole),
                    n(x),
                    n(y),
                    n(width),
                    n(height)
                ));
                if shape.kind == Kind::Final {
                    self.put(format_args!(
                        "<rect class=\"i\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
                        n(x + 3.5),
                        n(y + 3.5),
                        n(width - 7.0),
                        n(height - 7.0)
                    ));
                }
            }
        }
    }

    fn texts(&mut self, shape: &Shape, [x, y, width, _]: [f64; 4]) {
        if matches!(shape.kind, Kind::Initial | Kind::History { .. }) {
            return;
        }
        let mut top = y + 10.0;
        if !shape.title.is_empty() {
            let (at, anchor) = if shape.children.is_empty() && shape.lines.is_empty() {
                (x + width / 2.0, " text-anchor=\"middle\"")
            } else {
                (x + 12.0, "")
            };
            self.put(format_args!(
                "<text class=\"t\" x=\"{}\" y=\"{}\"{anchor}>{}</text>\n",
                n(at),
                n(top + TEXT),
                escaped(&shape.title)
            ));
            top += LINE;
        }
        self.lines("l", (x + 12.0, top), &shape.lines);
    }

    fn lines(&mut self, class: &str, (x, y): Point, lines: &[String]) {
        for (number, line) in lines.iter().enumerate() {
            self.put(format_args!(
                "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>\n",
                n(x),
                n(y + ARROW_TEXT + number as f64 * LINE),
                escaped(line)
            ));
        }
    }

    fn line(&mut self, whole: &str, points: &[Point], straight: bool) {
        let Some((&(x, y), rest)) = points.split_first() else {
            return;
        };
        self.put(format_args!(
            "<path class=\"e\" marker-end=\"url(#h)\" d=\"M{} {}",
            n(x),
            n(y)
        ));
        let (mut from_x, mut from_y) = (x, y);
        for &(x, y) in rest {
            if straight || (x - from_x).abs() < 0.05 {
                self.put(format_args!("L{} {}", n(x), n(y)));
            } else {
                let middle = n((from_y + y) / 2.0);
                self.put(format_args!(
                    "C{} {middle} {} {middle} {} {}",
                    n(from_x),
                    n(x),
                    n(x),
                    n(y)
                ));
            }
            (from_x, from_y) = (x, y);
        }
        self.0.push('"');
        if whole.is_empty() {
            self.0.push_str("/>\n");
        } else {
            self.put(format_args!("><title>{}</title></path>\n", escaped(whole)));
        }
    }
}

/// A number with at most one digit after the point.
fn n(number: f64) -> String {
    let tenths = (number * 10.0).round() / 10.0;
    // Not "-0".
    format!("{}", tenths + 0.0)
}

/// Text as XML has it, without characters that XML 1.0 does not allow.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            control if control.is_control() => out.push(' '),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escaped("</text><script>\"&\u{1b}"),
            "&lt;/text&gt;&lt;script&gt;&quot;&amp; "
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!((n(1.0), n(1.26), n(-0.01)), ("1".into(), "1.3".into(), "0".into()));
    }
}
