//! What is written in boxes and on arrows, and how much room it takes.

use pointsman_scxml::model::{Attribute, Block, Executable, Operation, Send, Transition};

/// Characters of a line on an arrow.
const ARROW_CHARACTERS: usize = 36;
/// Lines of one transition on an arrow.
const TRANSITION_LINES: usize = 5;
/// Lines on one arrow.
const ARROW_LINES: usize = 14;
/// Characters of a line in a box.
const BOX_CHARACTERS: usize = 46;
/// Lines in a box, beside its title.
pub(crate) const BOX_LINES: usize = 10;
/// Characters of an id.
const TITLE_CHARACTERS: usize = 40;
/// Characters of an expression.
const EXPRESSION_CHARACTERS: usize = 60;
/// Actions that are named, of one block.
const ACTIONS: usize = 4;
/// Characters of a title that shows when one points at a shape.
const WHOLE_CHARACTERS: usize = 2000;

/// An id that fits.
pub(crate) fn title(id: &str) -> String {
    cut(id, TITLE_CHARACTERS)
}

/// A line in a box.
pub(crate) fn box_line(text: &str) -> String {
    cut(text, BOX_CHARACTERS)
}

/// A text for a title.
pub(crate) fn whole(text: &str) -> String {
    cut_lines(text, WHOLE_CHARACTERS)
}

/// `event [cond] / actions`.
pub(crate) fn transition(transition: &Transition) -> String {
    let mut parts = Vec::new();
    if !transition.events.is_empty() {
        parts.push(transition.events.join(", "));
    }
    if let Some(cond) = &transition.cond {
        parts.push(format!("[{}]", cut(&cond.text, EXPRESSION_CHARACTERS)));
    }
    let does = actions(&transition.content);
    if !does.is_empty() {
        parts.push(format!("/ {does}"));
    }
    parts.join(" ")
}

/// The lines of an arrow that stands for these transitions: their texts, each from a new line.
pub(crate) fn arrow_lines(transitions: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, text) in transitions.iter().enumerate() {
        let own = wrap(text);
        let left = ARROW_LINES.saturating_sub(lines.len());
        if own.len() > left {
            let more = transitions.len() - number;
            lines.push(format!("… and {more} more"));
            break;
        }
        lines.extend(own);
    }
    lines
}

/// Breaks at spaces where the line is full; what is longer than a line is cut.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = cut(word, ARROW_CHARACTERS);
        let full = lines.len() == TRANSITION_LINES;
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= ARROW_CHARACTERS => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(line) if full => {
                line.push_str(" …");
                break;
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// What a block does, in short; log lines are left out.
pub(crate) fn actions(block: &Block) -> String {
    let told: Vec<String> = block.iter().filter_map(action).take(ACTIONS + 1).collect();
    let shown = told.iter().take(ACTIONS).map(String::as_str);
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if told.len() > ACTIONS {
        text.push_str(", …");
    }
    text
}

fn action(executable: &Executable) -> Option<String> {
    Some(match &executable.operation {
        Operation::Raise { event, .. } => format!("raise {}", cut(event, TITLE_CHARACTERS)),
        Operation::Send(send) => sent(send),
        Operation::Cancel(id) => format!("cancel {}", attribute(id)),
        Operation::Assign { location, .. } => format!("{}=…", cut(&location.text, TITLE_CHARACTERS)),
        Operation::Action(action) => cut(&format!("{}.{}", action.module, action.action), TITLE_CHARACTERS),
        Operation::Script(_) => "script".to_owned(),
        Operation::If(conditional) => {
            let branches = conditional.branches.iter().map(|(_, block)| actions(block));
            let branches: Vec<String> = branches.filter(|text| !text.is_empty()).collect();
            if branches.is_empty() {
                return None;
            }
            cut(&format!("if {{ {} }}", branches.join(" | ")), EXPRESSION_CHARACTERS)
        }
        Operation::Foreach { body, .. } => match actions(body) {
            body if body.is_empty() => return None,
            body => cut(&format!("foreach {{ {body} }}"), EXPRESSION_CHARACTERS),
        },
        _ => return None,
    })
}

fn sent(send: &Send) -> String {
    let event = send.event.as_ref().map_or_else(|| "…".to_owned(), attribute);
    let mut text = format!("send {event}");
    if let Some(target) = &send.target {
        text.push_str(&format!(" to {}", attribute(target)));
    }
    if let Some(delay) = &send.delay {
        text.push_str(&format!(" after {}", attribute(delay)));
    }
    text
}

fn attribute(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Literal(text) | Attribute::Expr(text) => cut(&text.text, TITLE_CHARACTERS),
    }
}

/// One line, not longer than that.
fn cut(text: &str, characters: usize) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.len() > 4 * characters {
            break;
        }
    }
    cut_lines(&words, characters)
}

fn cut_lines(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters - 1).chain(['…']).collect(),
    }
}

/// Width of a text in a sans-serif font of this size. There is no font to ask: widths are those of Helvetica and its
/// wider kin, rounded up.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let of = |character: char| match character {
        'i' | 'j' | 'l' | '.' | ',' | ';' | ':' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' | ' ' | '/' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.98,
        'A'..='Z' | '&' | '=' | '+' | '<' | '>' | '_' => 0.74,
        character if character >= '\u{1100}' => 1.05,
        _ => 0.62,
    };
    text.chars().map(of).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_label_is_broken_at_spaces_and_bounded() {
        let lines = arrow_lines(&[
            "interaction.redirect.done, error.interaction.redirect [x > 1]".to_owned(),
            "go".to_owned(),
        ]);
        assert_eq!(
            lines,
            ["interaction.redirect.done,", "error.interaction.redirect [x > 1]", "go"]
        );
        let many = arrow_lines(&vec!["a".to_owned(); 100]);
        assert_eq!(many.len(), ARROW_LINES + 1);
        assert_eq!(many[ARROW_LINES], "… and 86 more");
        let long = wrap(&"word ".repeat(1000));
        assert_eq!(long.len(), TRANSITION_LINES);
        assert!(wrap(&"x".repeat(1000))[0].chars().count() <= ARROW_CHARACTERS);
    }

    #[test]
    fn white_space_is_one_space() {
        assert_eq!(title("a\n\t b"), "a b");
        assert_eq!(title(&"é".repeat(50)).chars().count(), TITLE_CHARACTERS);
    }
}
