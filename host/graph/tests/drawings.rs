//! What a drawing shows, and what it never does.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pointsman_graph::draw;
use pointsman_scxml::{MapResolver, read};

const HEAD: &str = "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' \
                    xmlns:ixn='http://www.genesyslab.com/modules/interaction'";

fn drawn(text: &str) -> String {
    let files = [("vip.json".to_owned(), "{}".to_owned())];
    let (document, _) = read("main.scxml", text, &MapResolver::new(files)).unwrap_or_else(|errors| panic!("{errors}"));
    draw(&document)
}

fn of(body: &str) -> String {
    drawn(&format!("{HEAD}>{body}</scxml>"))
}

/// The values of an attribute, as numbers, of each element of this class.
fn numbers(svg: &str, class: &str, attribute: &str) -> Vec<f64> {
    let start = format!("class=\"{class}\"");
    svg.split('<')
        .filter(|element| element.contains(&start))
        .filter_map(|element| element.split(&format!(" {attribute}=\"")).nth(1)?.split('"').next())
        .map(|value| value.parse().expect("it is a number"))
        .collect()
}

/// Left, top, right and bottom of each box of this class.
fn boxes(svg: &str, class: &str) -> Vec<[f64; 4]> {
    let [x, y, width, height] = ["x", "y", "width", "height"].map(|attribute| numbers(svg, class, attribute));
    (0..x.len())
        .map(|i| [x[i], y[i], x[i] + width[i], y[i] + height[i]])
        .collect()
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// SVG is XML: every tag is closed, in order.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("every tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().expect("a tag has a name"));
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../strategies");
    let entries = fs::read_dir(folder).expect("the samples are there");
    let names = entries.map(|entry| entry.expect("the folder can be read").path());
    let read = |folder: std::path::PathBuf| {
        let name = folder.file_name()?.to_str()?.to_owned();
        let text = fs::read_to_string(folder.join(format!("{name}.scxml"))).ok()?;
        Some((name, text))
    };
    names.filter_map(read).collect()
}

#[test]
fn states_and_transitions_are_named() {
    let svg = of(
        "<state id='idle'><onentry><send event='late' delay='5s'/><log expr='1'/></onentry>\
         <transition event='go now' cond='a &lt; b' target='busy'><raise event='gone'/></transition>\
         <transition event='tick'><assign location='n' expr='n + 1'/></transition>\
         <transition event='again' target='idle'/></state>\
         <state id='busy'><onentry><ixn:redirect interactionid='i' to='t'/></onentry></state>",
    );
    for text in [
        ">idle<",
        ">entry / send late after 5s<",
        ">go, now [a &lt; b] / raise gone<",
        ">tick / n=…<",
        ">↻ again<",
        ">busy<",
        ">entry / interaction.redirect<",
    ] {
        assert!(svg.contains(text), "{text} is missing in\n{svg}");
    }
    // The dot's arrow and the one transition that leads elsewhere.
    assert_eq!(svg.matches("<path class=\"e\"").count(), 2);
    assert_eq!(svg.matches("<circle class=\"d\"").count(), 1);
    assert_well_formed(&svg);
}

#[test]
fn states_are_drawn_in_the_state_that_contains_them_and_not_over_each_other() {
    let svg = of(
        "<parallel id='p'><state id='a' initial='a2'><history id='h' type='deep'><transition target='a1'/></history>\
         <state id='a1'><transition event='e' target='a2 b2'/></state><state id='a2'/></state>\
         <state id='b'><state id='b1'/><state id='b2'><transition event='out' target='over'/></state></state></parallel>\
         <final id='over'/>",
    );
    let parallel = boxes(&svg, "b c");
    let regions = boxes(&svg, "b c r");
    assert_eq!((parallel.len(), regions.len()), (1, 2));
    assert!(!overlap(&regions[0], &regions[1]));
    let leaves = boxes(&svg, "b");
    assert_eq!(leaves.len(), 5, "a1, a2, b1, b2, over");
    for (number, leaf) in leaves.iter().enumerate() {
        assert!(leaves[..number].iter().all(|other| !overlap(leaf, other)), "{leaf:?}");
    }
    let inside = |inner: &[f64; 4], outer: &[f64; 4]| {
        inner[0] > outer[0] && inner[1] > outer[1] && inner[2] < outer[2] && inner[3] < outer[3]
    };
    for region in &regions {
        assert!(inside(region, &parallel[0]));
        assert_eq!(leaves.iter().filter(|leaf| inside(leaf, region)).count(), 2);
    }
    assert!(svg.contains(">H*<"));
    // The final has a second edge.
    assert_eq!(boxes(&svg, "i").len(), 1);
    assert_well_formed(&svg);
}

#[test]
fn transitions_between_the_same_states_share_an_arrow() {
    let svg =
        of("<state id='a'><transition event='x' target='b'/><transition event='y' target='b'/></state><state id='b'/>");
    assert_eq!(svg.matches("<path class=\"e\"").count(), 2);
    assert!(svg.contains(">x</text>") && svg.contains(">y</text>") && svg.contains("<title>x\ny</title>"));
}

#[test]
fn every_arrow_ends_at_a_shape() {
    for (name, text) in samples() {
        let svg = drawn(&text);
        let shapes: Vec<[f64; 4]> = ["b", "b c", "b c r", "b r"]
            .iter()
            .flat_map(|class| boxes(&svg, class))
            .collect();
        for path in svg.split("<path class=\"e\"").skip(1) {
            let path = path
                .split(" d=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .expect("a path has a shape");
            let end: Vec<f64> = path
                .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
                .filter(|number| !number.is_empty())
                .map(|number| number.parse().expect("it is a number"))
                .collect();
            let [.., x, y] = end[..] else { panic!("{path}") };
            let on_edge = |shape: &&[f64; 4]| {
                x >= shape[0] && x <= shape[2] && ((y - shape[1]).abs() < 0.3 || (y - shape[3]).abs() < 0.3)
            };
            assert!(shapes.iter().any(|shape| on_edge(&shape)), "{name}: {x} {y}");
        }
    }
}

#[test]
fn labels_stand_beside_each_other() {
    for (name, text) in samples() {
        let svg = drawn(&text);
        let (x, y) = (numbers(&svg, "a", "x"), numbers(&svg, "a", "y"));
        let mut places: Vec<(i64, i64)> = x.iter().zip(&y).map(|(x, y)| (*x as i64, *y as i64)).collect();
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), count, "{name}");
        assert_well_formed(&svg);
    }
    assert_eq!(samples().len(), 4, "documents among the samples");
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    for (name, text) in samples() {
        assert_eq!(drawn(&text), drawn(&text), "{name}");
    }
}

#[test]
fn what_a_document_says_stays_text() {
    let evil = "&lt;/text>&lt;script>alert(1)&lt;/script>";
    let svg = drawn(&format!(
        "{HEAD} name=\"{evil}\"><state id=\"{}\"><transition event=\"{}\" cond=\"{evil}&quot;\" target='b'/>\
         <transition cond=\"{evil}\"><raise event=\"{evil}\"/></transition></state><state id='b'/></scxml>",
        evil.replace(' ', ""),
        evil.replace(' ', ""),
    ));
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
    assert_well_formed(&svg);
}

#[test]
fn a_large_chart_is_drawn_at_once() {
    // 500 states in a line with an end for all, and 500 that lead anywhere.
    let mut line = String::new();
    let mut anywhere = String::new();
    let mut seed = 7u32;
    for number in 0..500 {
        write!(
            line,
            "<state id='s{number}'><transition event='next' target='s{}'/><transition event='interaction.deleted' target='over'/></state>",
            number + 1
        )
        .expect("writing to a String does not fail");
        write!(anywhere, "<state id='s{number}'>").expect("writing to a String does not fail");
        for _ in 0..2 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            write!(
                anywhere,
                "<transition event='e.{seed}' target='s{}'/>",
                (seed >> 16) % 500
            )
            .expect("writing to a String does not fail");
        }
        anywhere.push_str("</state>");
    }
    line.push_str("<state id='s500'/><final id='over'/>");
    let many = "<state/>".repeat(4000);
    let deep = format!("{}{}", "<state>".repeat(200), "</state>".repeat(200));
    for (name, body) in [
        ("line", line),
        ("anywhere", anywhere),
        ("many", format!("<parallel>{many}</parallel>")),
        ("deep", deep),
    ] {
        let started = Instant::now();
        let svg = of(&body);
        let took = started.elapsed();
        println!("{name}: {} KiB in {took:?}", svg.len() / 1024);
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
}
