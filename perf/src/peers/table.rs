//! Results as Markdown.

use super::job::{Bad, TICK_MS, TICKS};
use super::results::{Cell, Memory, Rates, Results, Row, Run};
use super::set_up::{NODE_HEAP_MIB, Peer, QT_ADDRESS_SPACE_KIB};
use crate::statistics::Summary;
use std::fmt::Write as _;
use std::time::Duration;

/// Load average from which on something else was at work when the run began.
const BUSY: f64 = 0.5;

/// Without an event handled for so long, a good session stands still; it gets one every 200 ms.
const STILL: Duration = Duration::from_secs(2);

/// The whole document.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "# Other SCXML engines beside Pointsman, measured\n\n\
         <!-- Written by `cargo run --release -p pointsman-perf -- peers --write perf/peers/RESULTS.md`: measure again, do not edit. -->\n\n\
         [README.md](README.md) says what each figure is and what it is not.\n\n",
    );
    header(&mut text, results);
    against(&mut text, results);
    for (sessions, rows) in &results.events {
        section(&mut text, &Section {
            title: format!("Events per second of processor time, {} sessions", number(f64::from(*sessions))),
            about: "In lock step on one thread; processor time of the whole process. Median (smallest-largest); below it the median by wall time."
                .into(),
            rows,
            label: |chart| chart.name().into(),
            cell: rates,
        });
    }
    section(&mut text, &Section {
        title: "Session starts per second of processor time, from a ready model".into(),
        about: "Begun and ended, one at a time. XState: an actor of a machine. SCION: `prepare` and a session. Qt: an object of the class that \
                qscxmlc made. Pointsman: a sandbox of a loaded strategy."
            .into(),
        rows: &results.starts,
        label: |chart| chart.name().into(),
        cell: rates,
    });
    section(
        &mut text,
        &Section {
            title: "Session starts per second of processor time, from the document".into(),
            about: "No two documents are the same. XState 5 has none: its machine object is built anew.".into(),
            rows: &results.sources,
            label: |chart| chart.name().into(),
            cell: rates,
        },
    );
    section(&mut text, &Section {
        title: "Memory of a live session, KiB".into(),
        about: "Call routing, before the call's last event; in parentheses when it had just started. Anonymous memory and page tables of the \
                process, less what it had before."
            .into(),
        rows: &results.memory,
        label: |sessions| format!("{} sessions", number(f64::from(*sessions))),
        cell: memory,
    });
    runs(&mut text, results);
    text
}

fn header(text: &mut String, results: &Results) {
    let m = &results.machine;
    let (begin, end) = results.load;
    put(
        text,
        format!(
            "{}. {} cores of {}, {} MiB, Linux {}, `vm.max_map_count` {}. Load average {begin:.2} at the begin, {end:.2} at the end. \
             Processes of each measurement: {}, one at a time, the engines in turn.\n",
            results.date, m.cores, m.cpu, m.memory_mib, m.kernel, m.max_map_count, results.rounds
        ),
    );
    if begin > BUSY {
        put(
            text,
            "**Something else was at work on this machine: read differences under a third as noise.**\n".into(),
        );
    }
    for line in &results.skipped {
        put(text, format!("**{line}**\n"));
    }
    put(text, "| engine | version |\n|---|---|".into());
    for (peer, version) in results.versions() {
        put(text, format!("| {} | {version} |", peer.name()));
    }
    put(text, String::new());
}

/// By how much Pointsman is ahead or behind.
fn against(text: &mut String, results: &Results) {
    let mut lines = Vec::new();
    let events = results.events.iter().map(|(sessions, rows)| {
        let what = format!("events, {} sessions", number(f64::from(*sessions)));
        (what, rows)
    });
    let starts = [
        ("starts, model ready".to_owned(), &results.starts),
        ("starts from the document".to_owned(), &results.sources),
    ];
    for (what, rows) in events.chain(starts) {
        for (chart, row) in rows {
            let of = |cell: &Cell<Rates>| cell.figure().map(|r| r.cpu);
            lines.push((format!("{what}: {}", chart.name()), compared(row, of, more_is_better)));
        }
    }
    for (sessions, row) in &results.memory {
        let of = |cell: &Cell<Memory>| cell.figure().map(|m| m.handled);
        let what = format!("memory of a session, {} live", number(f64::from(*sessions)));
        lines.push((what, compared(row, of, less_is_better)));
    }
    let Some((_, first)) = lines.first() else { return };
    put(text, "## Pointsman against each of them\n".into());
    put(
        text,
        "How many times better its median is, or worse. *Overlapping*: the ranges of the samples overlap.\n".into(),
    );
    let names: Vec<_> = first.iter().map(|(peer, _)| peer.name()).collect();
    put(text, format!("| | {} |", names.join(" | ")));
    put(text, format!("|---|{}", "---:|".repeat(names.len())));
    for (what, row) in &lines {
        let cells: Vec<_> = row.iter().map(|(_, cell)| cell.as_str()).collect();
        put(text, format!("| {what} | {} |", cells.join(" | ")));
    }
    put(text, String::new());
}

/// Each peer against us.
fn compared<T>(
    row: &[(Peer, Cell<T>)],
    of: impl Fn(&Cell<T>) -> Option<Summary>,
    better: fn(Summary, Summary) -> f64,
) -> Vec<(Peer, String)> {
    let ours = row.iter().find(|(peer, _)| *peer == Peer::Ours);
    let ours = ours.and_then(|(_, cell)| of(cell));
    let theirs = row.iter().filter(|(peer, _)| *peer != Peer::Ours);
    let words = theirs.map(|(peer, cell)| {
        let words = match (ours, of(cell)) {
            (Some(ours), Some(theirs)) => standing(ours, theirs, better(ours, theirs)),
            (None, _) => "we have no figure".into(),
            (_, None) => "it has no figure".into(),
        };
        (*peer, words)
    });
    words.collect()
}

fn more_is_better(ours: Summary, theirs: Summary) -> f64 {
    ours.median / theirs.median
}

fn less_is_better(ours: Summary, theirs: Summary) -> f64 {
    theirs.median / ours.median
}

fn standing(ours: Summary, theirs: Summary, ratio: f64) -> String {
    let overlap = ours.min <= theirs.max && theirs.min <= ours.max;
    let words = if ratio >= 1.0 {
        format!("{} × ahead", times(ratio))
    } else {
        format!("**{} × behind**", times(1.0 / ratio))
    };
    if overlap {
        format!("{words}, overlapping")
    } else {
        words
    }
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("{ratio:.2}")
    } else {
        number(ratio)
    }
}

/// A table of figures: a column for each chart or number of sessions, a line for each engine.
struct Section<'a, K, T> {
    title: String,
    about: String,
    rows: &'a [(K, Row<T>)],
    label: fn(&K) -> String,
    cell: fn(&T) -> String,
}

fn section<K, T>(text: &mut String, section: &Section<'_, K, T>) {
    let Some((_, first)) = section.rows.first() else { return };
    put(text, format!("## {}\n\n{}\n", section.title, section.about));
    let labels: Vec<_> = section.rows.iter().map(|(key, _)| (section.label)(key)).collect();
    put(text, format!("| | {} |", labels.join(" | ")));
    put(text, format!("|---|{}", "---:|".repeat(labels.len())));
    for (line, (peer, _)) in first.iter().enumerate() {
        let cells = section.rows.iter().map(|(_, row)| match &row[line].1 {
            Cell::Figure(figure) => (section.cell)(figure),
            Cell::None(why) => format!("no figure: {}", one_cell(why)),
        });
        put(
            text,
            format!("| {} | {} |", peer.name(), cells.collect::<Vec<_>>().join(" | ")),
        );
    }
    put(text, String::new());
}

fn rates(rates: &Rates) -> String {
    let s = rates.cpu;
    format!(
        "{} ({}-{})<br>wall {}",
        number(s.median),
        number(s.min),
        number(s.max),
        number(rates.wall.median)
    )
}

fn memory(memory: &Memory) -> String {
    format!("{} ({})", kib(memory.handled), kib(memory.started))
}

fn kib(bytes: Summary) -> String {
    let kib = bytes.median / 1024.0;
    if kib < 100.0 { format!("{kib:.1}") } else { number(kib) }
}

fn runs(text: &mut String, results: &Results) {
    let Some((_, first)) = results.runs.first() else { return };
    put(text, "## A bad session beside a good one\n".into());
    put(
        text,
        format!(
            "A good session (ping-pong) gets an event every {TICK_MS} ms; after a second a bad one beside it is told to go. All run the same \
             four documents, XState 5 its own words for them. A process that is not done {} s after the good session's first event is killed. \
             Against the memory bomb, Node has a heap of {NODE_HEAP_MIB} MiB, Qt an address space of {} MiB; Pointsman has its own limits \
             only, the server's defaults.\n",
            super::child::run_limit(TICKS, TICK_MS).as_secs(),
            QT_ADDRESS_SPACE_KIB / 1024
        ),
    );
    let names: Vec<_> = results.runs.iter().map(|(bad, _): &(Bad, _)| bad.name()).collect();
    put(text, format!("| | {} |", names.join(" | ")));
    put(text, format!("|---|{}", "---|".repeat(names.len())));
    for (line, (peer, _)) in first.iter().enumerate() {
        let cells: Vec<_> = results
            .runs
            .iter()
            .map(|(_, row)| one_cell(&verdict(&row[line].1)))
            .collect();
        put(text, format!("| {} | {} |", peer.name(), cells.join(" | ")));
    }
}

/// What became of the two.
fn verdict(run: &Run) -> String {
    let since = |at: Duration| seconds(at.saturating_sub(run.went.unwrap_or_default()));
    if let Some(how) = &run.died {
        return format!(
            "**the process dies**, all sessions with it: {how} after {}",
            since(run.took)
        );
    }
    if !run.healthy && run.took < run.last_tick + STILL {
        return format!("not done in time; killed after {}", since(run.took));
    }
    if !run.healthy {
        return format!("**all sessions stop**; killed after {}", since(run.took));
    }
    let ended = match &run.ended {
        Some((after, why)) => format!("ended after {}: {why}", seconds(*after)),
        None => format!("not ended after {}", since(run.took)),
    };
    format!(
        "{ended}; the other goes on, at most {} ms from event to event",
        run.longest.as_millis()
    )
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.0} ms", (time.as_secs_f64() * 1e3).max(1.0))
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// With nothing that would end a table's cell.
fn one_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Three digits that count, thousands with commas.
fn number(value: f64) -> String {
    let digits = if value < 1.0 {
        0
    } else {
        value.log10().floor() as i32 + 1
    };
    let unit = 10f64.powi((digits - 3).max(0));
    let rounded = ((value / unit).round() * unit) as u64;
    let plain = rounded.to_string();
    let mut text = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn put(text: &mut String, line: String) {
    writeln!(text, "{line}").expect("a string takes it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::job::Chart;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!(
            [0.4, 7.0, 99.6, 1_234.0, 48_449.0, 131_700.0, 1_234_567.0].map(number),
            ["0", "7", "100", "1,230", "48,400", "132,000", "1,230,000"]
        );
    }

    #[test]
    fn who_is_ahead_is_said_and_whether_the_ranges_are_apart() {
        let of = |samples: &[f64]| Summary::of(samples.to_vec());
        let said = |ours: &[f64], theirs: &[f64]| {
            let (ours, theirs) = (of(ours), of(theirs));
            standing(ours, theirs, more_is_better(ours, theirs))
        };
        assert_eq!(said(&[19.0, 20.0], &[9.0, 10.0]), "2.11 × ahead");
        assert_eq!(said(&[10.0], &[12.0]), "**1.20 × behind**");
        assert_eq!(said(&[10.0, 12.0], &[11.0, 14.0]), "**1.10 × behind**, overlapping");
        assert_eq!(
            standing(of(&[10.0]), of(&[20.0]), less_is_better(of(&[10.0]), of(&[20.0]))),
            "2.00 × ahead"
        );
    }

    #[test]
    fn a_run_is_told_by_what_became_of_the_good_session() {
        let went = Some(Duration::from_secs(1));
        let run = |died: Option<&str>, healthy, ended| Run {
            went,
            ended,
            healthy,
            died: died.map(str::to_owned),
            took: Duration::from_secs(4),
            longest: Duration::from_millis(203),
            ..Run::default()
        };
        assert_eq!(
            verdict(&run(Some("exit 134 (SIGABRT)"), false, None)),
            "**the process dies**, all sessions with it: exit 134 (SIGABRT) after 3.0 s"
        );
        let slow = Run {
            last_tick: Duration::from_secs(3),
            ..run(None, false, None)
        };
        assert_eq!(verdict(&slow), "not done in time; killed after 3.0 s");
        assert_eq!(
            verdict(&run(None, false, None)),
            "**all sessions stop**; killed after 3.0 s"
        );
        assert_eq!(
            verdict(&run(
                None,
                true,
                Some((Duration::from_millis(3), "`microstep-limit`".into()))
            )),
            "ended after 3 ms: `microstep-limit`; the other goes on, at most 203 ms from event to event"
        );
    }

    #[test]
    fn every_chart_of_a_result_is_in_the_document() {
        let mut results = Results::new(3);
        let none = || vec![(Peer::Ours, Cell::None("not here".to_owned()))];
        results.events = vec![(50, Chart::ALL.map(|chart| (chart, none())).into())];
        let text = markdown(&results);
        for chart in Chart::ALL {
            assert!(text.contains(chart.name()), "{text}");
        }
        assert!(text.contains("no figure: not here"), "{text}");
    }
}
