//! Error answers of the server, as people read them.

use crate::output::printable;
use pointsman_api::types::{Diagnostic, Problem, Severity};
use pointsman_scxml::model::{Position, SourceFile};
use std::fmt::Write;

/// What happened, then what is wrong with the document as compilers show it; `files` are what was uploaded, the
/// document first.
pub(super) fn render(problem: &Problem, files: &[SourceFile]) -> String {
    let mut text = String::new();
    for diagnostic in &problem.diagnostics {
        writeln!(text, "{}", shown(diagnostic, files)).expect("a string takes whatever is written to it");
    }
    write!(
        text,
        "error: {}: {}",
        printable(&problem.title),
        printable(&problem.detail)
    )
    .expect("a string takes whatever is written to it");
    if problem.status >= 500 && !problem.trace_id.is_empty() {
        write!(
            text,
            "\n  help: the server's log has more under {}",
            printable(&problem.trace_id)
        )
        .expect("a string takes whatever is written to it");
    }
    text
}

/// The compiler's own rendering, from the file that the server means.
pub(crate) fn shown(found: &Diagnostic, files: &[SourceFile]) -> String {
    let mut files = files.to_vec();
    // The server names includes as they were uploaded; whatever else it names is the document.
    let named = |file: &SourceFile| file.url == found.file || file.url.ends_with(&format!("/{}", found.file));
    let file = files.iter().position(named).unwrap_or_else(|| {
        if files.is_empty() {
            files.push(SourceFile {
                url: found.file.clone(),
                text: String::new(),
            });
        }
        0
    });
    let diagnostic = pointsman_scxml::Diagnostic {
        severity: match found.severity {
            Severity::Error => pointsman_scxml::Severity::Error,
            Severity::Warning => pointsman_scxml::Severity::Warning,
        },
        code: "server",
        message: found.message.clone(),
        // Where it has no place, the first line is shown: better than nothing, and never outside of the file.
        at: Position {
            file: file as u16,
            line: found.line.max(1),
            column: found.column.max(1),
        },
        length: found
            .text
            .as_ref()
            .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count().max(1)) as u32,
        hint: found.hint.clone(),
    };
    pointsman_scxml::render(&[diagnostic], &files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_api::types::Code;

    fn file(url: &str, text: &str) -> SourceFile {
        SourceFile {
            url: url.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_refused_document_is_shown_with_the_lines_of_the_local_file() {
        let found = |file: &str, line| Diagnostic {
            severity: Severity::Error,
            file: file.into(),
            line,
            column: 3,
            message: "there is no state `x`".into(),
            text: Some("bcd".into()),
            hint: Some("did you mean `y`?".into()),
        };
        let problem = Problem {
            kind: "urn:pointsman:problem:document-errors".into(),
            title: "The document has errors".into(),
            status: 422,
            detail: "It was not deployed.".into(),
            code: Code::DocumentErrors,
            instance: String::new(),
            trace_id: "t".into(),
            diagnostics: vec![found("document.scxml", 2), found("lib/a.js", 1)],
        };
        let files = [file("dir/route.scxml", "first\n  bcd"), file("dir/lib/a.js", "x bcd")];
        assert_eq!(
            render(&problem, &files),
            "error[server]: there is no state `x`\n --> dir/route.scxml:2:3\n  |\n2 |   bcd\n  |   ^^^\n  = help: did you mean `y`?\n\n\
             error[server]: there is no state `x`\n --> dir/lib/a.js:1:3\n  |\n1 | x bcd\n  |   ^^^\n  = help: did you mean `y`?\n\n\
             error: The document has errors: It was not deployed."
        );
    }
}
