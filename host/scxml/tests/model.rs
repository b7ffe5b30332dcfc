//! What is in a document arrives in the model, with its place.

use pointsman_scxml::model::{Attribute, Datamodel, Document, Executable, Operation, StateKind, Value};
use pointsman_scxml::{MapResolver, NoFiles, read};

fn document(body: &str) -> Document {
    let text = format!(
        "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' xmlns:queue='www.genesyslab.com/modules/queue' \
         xmlns:ixn='http://www.genesyslab.com/modules/interaction'>\n{body}\n</scxml>"
    );
    let (document, warnings) = read("main.scxml", &text, &NoFiles).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(warnings, []);
    document
}

fn onentry(content: &str) -> Vec<Executable> {
    document(&format!("<state><onentry>{content}</onentry></state>")).states[0].onentry[0].clone()
}

fn only(content: &str) -> Operation {
    let mut block = onentry(content);
    assert_eq!(block.len(), 1);
    block.remove(0).operation
}

/// The character of the document's text at a position.
fn character_at(document: &Document, at: pointsman_scxml::model::Position) -> char {
    let file = &document.files[usize::from(at.file)];
    let line = file
        .text
        .split('\n')
        .nth(at.line as usize - 1)
        .expect("the line is in the file");
    line.chars()
        .nth(at.column as usize - 1)
        .expect("the column is in the line")
}

#[test]
fn states_keep_their_order_and_get_ids_that_no_author_can_give() {
    let document = document("<state><final/><parallel id='p'><state id='q'/></parallel></state><final id='f'/>");
    let outer = &document.states[0];
    assert_eq!((outer.id.as_str(), outer.named), ("$1", false));
    assert_eq!(
        (outer.children[0].id.as_str(), outer.children[0].kind),
        ("$2", StateKind::Final)
    );
    assert_eq!(
        (outer.children[1].id.as_str(), outer.children[1].kind),
        ("p", StateKind::Parallel)
    );
    assert_eq!(document.states[1].id, "f");
    assert_eq!(document.datamodel, Datamodel::Ecmascript);
}

#[test]
fn event_descriptors_and_targets_are_split_at_white_space() {
    let document = document(
        "<parallel id='p'><transition event='a.*\n b' target='x\ty' type='internal' cond='1 &lt; 2'/>\
         <state id='x'/><state id='y'/></parallel>",
    );
    let transition = &document.states[0].transitions[0];
    assert_eq!(transition.events, ["a.*", "b"]);
    assert_eq!(transition.targets, ["x", "y"]);
    assert!(transition.internal);
    let cond = transition.cond.as_ref().unwrap();
    assert_eq!(cond.text, "1 < 2");
    assert_eq!(character_at(&document, cond.at), '1');
}

#[test]
fn the_initial_state_is_read_from_attribute_and_element() {
    let document = document(
        "<state id='a' initial='b'><state id='b'/></state>\
         <state id='c'><initial><transition target='d'><log/></transition></initial><state id='d'/></state>",
    );
    assert_eq!(document.states[0].initial.as_ref().unwrap().targets, ["b"]);
    let element = document.states[1].initial.as_ref().unwrap();
    assert_eq!(
        (element.targets.as_slice(), element.content.len()),
        (["d".to_owned()].as_slice(), 1)
    );
}

#[test]
fn a_history_keeps_its_default_transition() {
    let document = document(
        "<state id='a'><history id='h' type='deep'><transition target='c'/></history>\
         <state id='b'><state id='c'/></state></state>",
    );
    let history = &document.states[0].children[0];
    assert_eq!(history.kind, StateKind::DeepHistory);
    assert_eq!(history.transitions[0].targets, ["c"]);
}

#[test]
fn branches_of_an_if_keep_their_order_and_content() {
    let Operation::If(conditional) =
        only("<if cond='a'><log/><elseif cond='b'/><log/><log/><else/><raise event='e'/></if>")
    else {
        panic!()
    };
    let shape: Vec<(Option<&str>, usize)> = conditional
        .branches
        .iter()
        .map(|(cond, block)| (cond.as_ref().map(|text| text.text.as_str()), block.len()))
        .collect();
    assert_eq!(shape, [(Some("a"), 1), (Some("b"), 2), (None, 1)]);
}

#[test]
fn send_keeps_literals_and_expressions_apart() {
    let Operation::Send(send) = only(
        "<send eventexpr='e()' target='#_parent' type='scxml' idlocation='loc' delay='1.5s' namelist='one  two.three'>\
         <param name='p' location='x'/></send>",
    ) else {
        panic!()
    };
    assert!(matches!(&send.event, Some(Attribute::Expr(text)) if text.text == "e()"));
    assert!(matches!(&send.target, Some(Attribute::Literal(text)) if text.text == "#_parent"));
    assert!(matches!(&send.delay, Some(Attribute::Literal(text)) if text.text == "1.5s"));
    assert_eq!(
        send.namelist.iter().map(|text| text.text.as_str()).collect::<Vec<_>>(),
        ["one", "two.three"]
    );
    assert_eq!(send.namelist[1].at.column, send.namelist[0].at.column + 5);
    assert_eq!(
        (send.params[0].name.as_str(), send.params[0].expr.text.as_str()),
        ("p", "x")
    );
}

#[test]
fn bodies_are_text_or_markup_as_written() {
    let document = document(
        "<datamodel><data id='e' expr='1'/><data id='none'> </data>\
         <data id='t'> [1, &#x32;, <![CDATA[3 < 4]]>]<!-- not this --> </data>\
         <data id='x'> <a b='&lt;'><!-- kept --></a></data></datamodel><final/>",
    );
    let values: Vec<&Option<Value>> = document.data.iter().map(|data| &data.value).collect();
    assert!(matches!(values[0], Some(Value::Expr(text)) if text.text == "1"));
    assert_eq!(values[1], &None);
    assert!(
        matches!(values[2], Some(Value::Text(text)) if text.text == " [1, 2, 3 < 4] "),
        "{:?}",
        values[2]
    );
    assert!(
        matches!(values[3], Some(Value::Xml(text)) if text.text == " <a b='&lt;'><!-- kept --></a>"),
        "{:?}",
        values[3]
    );
}

#[test]
fn the_place_of_a_script_is_its_first_character() {
    let document = document("<script><![CDATA[f();]]></script><script>g()</script><final/>");
    assert_eq!(document.scripts[0].source.text, "f();");
    assert_eq!(character_at(&document, document.scripts[0].source.at), 'f');
    assert_eq!(character_at(&document, document.scripts[1].source.at), 'g');
    assert_eq!(character_at(&document, document.scripts[1].at), '<');
}

#[test]
fn line_ends_are_one_character_and_a_byte_order_mark_is_none() {
    let text = "\u{FEFF}<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'>\r\n<script>a\r\nb</script>\r\n<final/></scxml>";
    let (document, _) = read("a", text, &NoFiles).unwrap();
    assert_eq!(document.scripts[0].source.text, "a\nb");
    assert_eq!((document.scripts[0].at.line, document.scripts[0].at.column), (2, 1));
    assert_eq!(document.at.column, 1);
}

#[test]
fn actions_of_functional_modules_are_known_by_both_spellings_of_their_namespace() {
    let block = onentry(
        "<queue:submit requestid='data.id' priority='5'><queue:param name='a' expr='1'/><param name='b' expr='2'/></queue:submit>\
         <ixn:redirect to=\"'7001'\" ixn:other='ignored'/>",
    );
    let Operation::Action(submit) = &block[0].operation else {
        panic!()
    };
    assert_eq!((submit.module.as_str(), submit.action.as_str()), ("queue", "submit"));
    assert_eq!(submit.requestid.as_ref().unwrap().text, "data.id");
    assert_eq!(submit.attributes.len(), 1);
    assert_eq!(
        submit
            .params
            .iter()
            .map(|param| param.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    let Operation::Action(redirect) = &block[1].operation else {
        panic!()
    };
    assert_eq!(
        (redirect.module.as_str(), redirect.action.as_str()),
        ("interaction", "redirect")
    );
    assert_eq!(redirect.attributes[0].0, "to");
    assert!(matches!(&redirect.attributes[0].1, Attribute::Expr(text) if text.text == "'7001'"));
}

#[test]
fn invoke_is_kept_whatever_is_in_it() {
    let document = document(
        "<state><invoke id='i'><content><scxml initial='nowhere'><nonsense/></scxml></content>\
         <finalize><log/></finalize></invoke></state>",
    );
    assert_eq!(document.states[0].invokes[0].id.as_deref(), Some("i"));
}

#[test]
fn files_named_by_src_are_read_once_and_kept_with_the_document() {
    let files = MapResolver::new([
        ("lib/hours.js".to_owned(), "var open = 9;\n".to_owned()),
        ("lib/list.json".to_owned(), "[1]".to_owned()),
        ("lib/books.xml".to_owned(), "<books/>\n".to_owned()),
    ]);
    let text = "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0'><script src='hours.js'/>\
                <datamodel><data id='a' src='file:list.json'/><data id='b' src='./books.xml'/></datamodel>\
                <state><onentry><script src='../lib/hours.js'/></onentry></state></scxml>";
    let (document, _) = read("lib/main.scxml", text, &files).unwrap();
    let urls: Vec<&str> = document.files.iter().map(|file| file.url.as_str()).collect();
    assert_eq!(
        urls,
        ["lib/main.scxml", "lib/hours.js", "lib/list.json", "lib/books.xml"]
    );
    assert_eq!(document.scripts[0].source.text, "var open = 9;\n");
    let at = document.scripts[0].source.at;
    assert_eq!((at.file, at.line, at.column), (1, 1, 1));
    assert!(matches!(&document.data[0].value, Some(Value::Text(text)) if text.text == "[1]"));
    assert!(matches!(&document.data[1].value, Some(Value::Xml(text)) if text.text == "<books/>\n"));
}
