//! The table: one constant for each module.

use super::Kind::{Expr, Literal, Location, Names};
use super::Type::{Any, Boolean, Integer, Number, Object, Resource, Seconds, Text};
use super::{Action, Attribute, Child, Element, Event, Module, Type};

/// Every module, as documents list them.
pub const MODULES: &[Module] = &[
    SESSION,
    WS,
    QUEUE,
    INTERACTION,
    DIALOG,
    STATISTIC,
    RESOURCE,
    CLASSIFICATION,
    AGENT,
    ELASTICCONNECTOR,
];

/// An attribute that is an expression.
const fn expr(name: &'static str, of: Type, about: &'static str) -> Attribute {
    Attribute::new(name, Expr(of), about)
}

const fn text(name: &'static str, words: &'static [&'static str], about: &'static str) -> Attribute {
    Attribute::new(name, Literal(words), about)
}

const REQUESTID: Attribute = Attribute::new("requestid", Location, "Receives the id of this request.");

const INTERACTIONID: Attribute = expr("interactionid", Text, "The interaction.").or("the session's own");

const HINTS: Attribute = expr("hints", Object, "Further wishes for what carries it out.");

const REASON: Attribute = expr("reason", Text, "Why: shown in reports.");

const SESSION: Module = Module::new("session", "session", "Sessions, and documents of web servers.").actions(&[
    Action::new("fetch", "Asks a web server.")
        .served()
        .attributes(&[
            REQUESTID,
            text("src", &[], "URL."),
            expr(
                "srcexpr",
                Text,
                "URL: absolute, or relative to the document's where that came from a web server.",
            ),
            expr(
                "method",
                Text,
                "`get`, `post`, `put`, `delete`; `esp` and `urs` name other transports.",
            )
            .or("'get'"),
            expr("enctype", Text, "How parameters are sent, such as `application/json`.")
                .or("'application/x-www-form-urlencoded'"),
            expr(
                "type",
                Text,
                "What is asked for, such as `application/json`; the answer is text, of 64 KiB at most.",
            ),
            expr("timeout", Seconds, "Longest wait for the answer."),
            expr("headers", Object, "Headers of the request."),
            expr("maxage", Seconds, "Oldest copy that may be used."),
            expr("maxstale", Seconds, "How long a copy may be used after its time."),
            expr("gdelivery", Boolean, "Try again until it is delivered.").or("false"),
            expr("gd_retries", Integer, "Attempts of that."),
            expr("gd_retry_interval", Seconds, "Time between them."),
            expr("username", Text, "User of the web server."),
            expr("password", Text, "The user's password."),
            Attribute::new("namelist", Names, "Sent as parameters, each under its name."),
            HINTS,
        ])
        .one_of(&["src", "srcexpr"])
        .content()
        .done(&["content", "hints", "status"]),
    Action::new(
        "start",
        "Starts another session. With `content` or `hints` it is refused in this version.",
    )
    .served()
    .attributes(&[
        REQUESTID,
        text(
            "src",
            &[],
            "A strategy's name, `script:NAME`, `file:PATH`, or the URL of a document.",
        ),
        expr("srcexpr", Text, "The same."),
        Attribute::new(
            "sessionid",
            Location,
            "Receives nothing: the id is in the data of `session.start.done`.",
        ),
        expr("idealtime", Integer, "When it is to start, in milliseconds since 1970."),
        expr("delay", Text, "How long after now it is to start, such as `'10s'`."),
        HINTS,
    ])
    .one_of(&["src", "srcexpr"])
    .content()
    .done(&["sessionid"])
    .events(&[Event::new("done.start.SESSIONID", &[], "The other session has ended.")]),
    Action::new("terminate", "Ends another session.")
        .served()
        .attributes(&[REQUESTID, expr("sessionid", Text, "Which one.").required(), REASON])
        .done(&["sessionid"]),
    Action::new("updatestart", "Changes when a session starts that was to start later.")
        .served()
        .attributes(&[
            REQUESTID,
            expr("sessionid", Text, "Which one.").required(),
            expr("idealtime", Integer, "When it is to start, in milliseconds since 1970."),
            expr("delay", Text, "How long after now it is to start, such as `'10s'`."),
        ])
        .done(&["sessionid"]),
]);

const WS: Module = Module::new("ws", "ws", "The web interface.").actions(&[Action::new(
    "response",
    "Answers an HTTP request that waits for it.",
)
.served()
.attributes(&[
    expr(
        "requestid",
        Text,
        "The request: `_event.sendid` of the event that it has raised.",
    ),
    expr("resultcode", Integer, "HTTP status, 200 to 599.").or("200"),
])
.content()]);

const TARGET_TYPES: &[&str] = &[
    "agent",
    "place",
    "agentgroup",
    "placegroup",
    "queue",
    "dn",
    "skill",
    "campaigngroup",
    "routepoint",
    "label",
];

const STATSERVER: Attribute = expr("statserver", Text, "The Stat Server that knows it.").or("the tenant's");

const TARGET: Element = Element::new("target", "One target.").attributes(&[
    expr("name", Text, "Its name."),
    text(
        "type",
        TARGET_TYPES,
        "What it is; otherwise as the targets around it say.",
    ),
    expr(
        "skillexpr",
        Text,
        "Instead of a name: what agents have to know, such as `'english > 5'`.",
    ),
    expr("weight", Number, "Its share among targets."),
    expr(
        "threshold",
        Text,
        "When it counts as a target, such as `'StatCallsInQueue<10'`.",
    ),
    STATSERVER,
]);

const TARGETID: Element = Element::new(
    "targetid",
    "Targets as one string: `{threshold}[weight]name@server.type, ...`.",
)
.attributes(&[expr("expr", Text, "The string.").required()]);

const TARGETS: Element = Element::new("targets", "Where it may go.")
    .attributes(&[
        text("type", TARGET_TYPES, "What the targets are that do not say it."),
        STATSERVER,
    ])
    .children(&[Child::Element(&TARGET), Child::Element(&TARGETID)]);

const ACTIVITY: Element = Element::new("activity", "Targets by what is to be done.").attributes(&[
    expr("name", Text, "The activity."),
    expr("expr", Text, "The activity, as a string."),
    STATSERVER,
]);

const WORKBIN: Element = Element::new("workbin", "A workbin as the target.").attributes(&[
    expr("name", Text, "Its name."),
    expr("type", Text, "Whose kind of workbin it is."),
    expr("owner", Text, "Whose it is."),
    STATSERVER,
]);

const TREATMENTS: Child = Child::Action {
    module: "dialog",
    action: "runtreatments",
};

const QUEUE_CHILDREN: &[Child] = &[
    Child::Element(&TARGETS),
    Child::Element(&ACTIVITY),
    Child::Element(&WORKBIN),
    TREATMENTS,
];

const QUEUE: Module = Module::new(
    "queue",
    "queue",
    "Choosing who gets an interaction, and waiting for them.",
)
.actions(&[
    Action::new("submit", "Puts an interaction into a queue until a target is free.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("queue", Text, "Virtual queue.").or("'none'"),
            expr("priority", Integer, "Higher is served first.").or("0"),
            expr(
                "ordertype",
                Text,
                "Which of several free targets: `max`, `min`, `any` or `percentage`, by `orderstat`.",
            )
            .or("'any'"),
            expr("orderstat", Text, "The statistic, such as `StatTimeInReadyState`."),
            expr("timeout", Seconds, "Longest wait."),
            expr("clearontimeout", Boolean, "Take the targets away after it."),
            expr("route", Boolean, "Send it to the target; false: only choose.").or("true"),
            expr("clearqueue", Boolean, "Take earlier targets away."),
            expr("cleartargets", Boolean, "The same."),
            expr("useaccesscode", Boolean, "Dial with the access code between switches."),
            expr("type", Any, "How it is sent: `_genesys.queue.rType`."),
            expr("routetype", Any, "The same."),
            expr("aging", Any, "How the priority grows with time."),
            expr("outbound", Any, "It is an outbound interaction."),
            expr("detach", Boolean, "The interaction leaves the session when it is sent."),
            REASON,
            HINTS,
        ])
        .children(QUEUE_CHILDREN)
        .done(&[
            "targetselected",
            "vqselected",
            "targetcomponentselected",
            "targetobjectselected",
            "interactionid",
            "resource",
        ])
        .events(&[Event::new(
            "queue.submit.requestid",
            &["requestid"],
            "The request has its id.",
        )]),
    Action::new("update", "Changes targets and treatments of an interaction that waits.")
        .attributes(&[
            expr("requestid", Text, "The request of `<queue:submit>`."),
            INTERACTIONID,
            expr("queue", Text, "Virtual queue."),
            expr("priority", Integer, "Higher is served first."),
            expr("timeout", Seconds, "Longest wait."),
            expr("cleartargets", Boolean, "Take earlier targets away."),
            HINTS,
        ])
        .children(QUEUE_CHILDREN),
    Action::new("cancel", "Takes an interaction out of its queue.").attributes(&[
        expr("requestid", Text, "The request of `<queue:submit>`; or the next two."),
        INTERACTIONID,
        expr("queue", Text, "Virtual queue."),
    ]),
    Action::new("query", "Asks how an interaction stands in its queue.")
        .attributes(&[
            expr("requestid", Text, "The request of `<queue:submit>`."),
            INTERACTIONID,
            expr("queue", Text, "Virtual queue."),
        ])
        .done(&["priority", "positioninqueue", "invqwaittime"]),
]);

/// What most actions about an interaction answer.
const IXN: &[&str] = &["interactionid"];

const RESOURCE_OF: Attribute = expr("resource", Resource, "Whose side of the interaction.");

const TO: Attribute = expr("to", Resource, "Where to.");

const FROM: Attribute = expr("from", Resource, "Where from.");

const UDATA: Attribute = expr("udata", Object, "Attached data.");

const INTERACTION: Module = Module::new("interaction", "ixn", "Calls and other interactions.")
    .actions(&[
        Action::new("redirect", "Sends an interaction to somebody.")
            .served()
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                FROM,
                expr("to", Resource, "Where to; of an array the first that answers.").required(),
                expr("type", Any, "How it is sent: `_genesys.queue.rType`."),
                expr("detach", Boolean, "The interaction leaves the session.").or("false"),
                UDATA,
                REASON,
                HINTS,
            ])
            .done(IXN),
        Action::new("terminate", "Ends an interaction.")
            .served()
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                expr("reason", Any, "Why; of a call over SIP the status, such as 404."),
                RESOURCE_OF,
                HINTS,
            ])
            .done(IXN),
        Action::new("associate", "Gives an interaction to another session.")
            .attributes(&[REQUESTID, INTERACTIONID, expr("sessionid", Text, "Which session.")])
            .done(IXN),
        Action::new("attach", "Takes an interaction into this session.")
            .attributes(&[REQUESTID, INTERACTIONID])
            .done(IXN),
        Action::new("detach", "Lets an interaction leave this session.")
            .attributes(&[REQUESTID, INTERACTIONID])
            .done(IXN),
        Action::new("accept", "Answers a call.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, HINTS])
            .done(IXN),
        Action::new("createcall", "Makes a call.")
            .attributes(&[
                REQUESTID,
                FROM,
                expr("to", Resource, "Where to.").required(),
                expr(
                    "type",
                    Text,
                    "`regular`, `agent`, `supervisor`, `priority`, `agentpriority` or `predictive`.",
                )
                .or("'regular'"),
                UDATA,
                REASON,
                HINTS,
            ])
            .done(IXN),
        Action::new("hold", "Puts a call on hold.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("retrieve", "Takes a call back from hold.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("start", "Begins a consultation call.")
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                FROM,
                TO,
                expr("type", Text, "For what."),
                UDATA,
                HINTS,
            ])
            .done(IXN),
        Action::new("conference", "Joins a call and its consultation call.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("transfer", "Hands a call over to the party of its consultation call.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("singlestepconference", "Adds somebody to a call.")
            .attributes(&[REQUESTID, INTERACTIONID, FROM, TO, REASON, HINTS])
            .done(IXN),
        Action::new("singlesteptransfer", "Hands a call over to somebody.")
            .attributes(&[REQUESTID, INTERACTIONID, FROM, TO, REASON, HINTS])
            .done(IXN),
        Action::new("reconnect", "Ends a consultation call and goes back to the call.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("disconnect", "Takes somebody out of a call.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, REASON, HINTS])
            .done(IXN),
        Action::new("userevent", "Sends an event to a device.")
            .attributes(&[REQUESTID, INTERACTIONID, RESOURCE_OF, UDATA, HINTS])
            .done(IXN),
        Action::new("screen", "Compares the text of an interaction with screening rules.")
            .attributes(&[REQUESTID, INTERACTIONID, expr("rule", Text, "Which ones."), HINTS])
            .content()
            .done(IXN),
        Action::new("createmessage", "Writes a message.")
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                expr(
                    "type",
                    Text,
                    "`acknowledgement`, `auto_response`, `outbound_new`, `inbound_collaboration_reply`, \
                     `outbound_collaboration_invite`, `outbound_notification`, `redirect` or `forwarded`.",
                ),
                expr("media", Text, "What carries it.").or("'TMediaEMail'"),
                expr("server", Text, "Who writes it."),
                FROM,
                TO,
                expr("subject", Text, "What it is about."),
                UDATA,
                HINTS,
            ])
            .content()
            .events_of("msgbased")
            .done(&["interactionid", "srid"]),
        Action::new("sendmessage", "Sends a message that was written.")
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                expr("media", Text, "What carries it."),
                expr("server", Text, "Who sends it."),
                HINTS,
            ])
            .content()
            .events_of("msgbased")
            .done(IXN),
        Action::new("getcontent", "Asks for what has been said in a chat.")
            .attributes(&[REQUESTID, INTERACTIONID, HINTS])
            .events_of("chat")
            .done(&["interactionid", "content"]),
        Action::new("place", "Puts an interaction into a queue or workbin.")
            .attributes(&[REQUESTID, INTERACTIONID, TO, REASON, HINTS])
            .done(IXN),
        Action::new("delay", "Puts an interaction aside for a time.")
            .attributes(&[REQUESTID, INTERACTIONID, expr("time", Seconds, "How long."), HINTS])
            .done(IXN),
        Action::new("delete", "Removes an interaction.")
            .attributes(&[REQUESTID, INTERACTIONID, REASON, HINTS])
            .done(IXN),
    ])
    .events(&[
        Event::new(
            "interaction.added",
            &["interactionid", "focusdeviceid"],
            "The session has a new interaction.",
        ),
        Event::new("interaction.present", IXN, "An interaction is there."),
        Event::new("interaction.onrouterequest", IXN, "A call waits for a decision."),
        Event::new(
            "interaction.deleted",
            &["interactionid", "resultof"],
            "It is gone: really, where `resultof` is absent or `deletion`; else it was moved or merged.",
        ),
        Event::new(
            "interaction.notcontrolled",
            IXN,
            "The session does not control it any more.",
        ),
        Event::new("interaction.abandoned", IXN, "The caller has hung up."),
        Event::new(
            "interaction.partystatechanged",
            &["interactionid", "focusdeviceid"],
            "A party has another state.",
        ),
        Event::new(
            "interaction.partyadded",
            &["interactionid", "focusdeviceid"],
            "There is a new party.",
        ),
        Event::new(
            "interaction.partyremoved",
            &["interactionid", "focusdeviceid"],
            "A party is gone.",
        ),
        Event::new("interaction.udata.changed", IXN, "Attached data has changed."),
        Event::new(
            "interaction.onmerge",
            &["frominteractionid", "tointeractionid"],
            "One interaction became part of another.",
        ),
    ]);

const LANGUAGE: Attribute = expr("language", Text, "Language of what is said.");

const PROMPT: Element = Element::new("prompt", "One of up to ten pieces.").attributes(&[
    expr("interrupt", Boolean, "A key ends it."),
    expr("intid", Integer, "Number of an announcement."),
    expr("number", Integer, "A number that is said."),
    expr("userannid", Integer, "Number of a user's announcement."),
    expr("text", Text, "A text that is said."),
    expr("id", Integer, "Number of the piece."),
    expr("digits", Text, "Digits that are said."),
]);

const PROMPTS: Element = Element::new("prompts", "What is said.")
    .attributes(&[text(
        "type",
        &["ann", "tts", "iretry", "ifailure", "isuccess", "itimeout", "MSG_type"],
        "When it is said.",
    )])
    .children(&[Child::Element(&PROMPT)]);

const INPUT: Element = Element::new("input", "What the caller is to press.").attributes(&[
    expr("max_digits", Integer, "Most digits."),
    expr("abort_digits", Text, "Digits that end it without a result."),
    expr("ignore_digits", Text, "Digits that do not count."),
    expr("backspace_digits", Text, "Digits that take one back."),
    expr("term_digits", Text, "Digits that end it."),
    expr("reset_digits", Text, "Digits that begin anew."),
    expr("start_timeout", Seconds, "Longest wait for the first."),
    expr("digit_timeout", Seconds, "Longest wait for another."),
    expr("total_timeout", Seconds, "Longest time altogether."),
    expr("verification", Text, "What they must be."),
    expr("attempts", Integer, "Attempts."),
]);

const SAY: &[Child] = &[Child::Element(&PROMPTS)];

const ASK: &[Child] = &[Child::Element(&PROMPTS), Child::Element(&INPUT)];

const SPEECH: &[Attribute] = &[REQUESTID, INTERACTIONID, LANGUAGE, HINTS];

const DIALOG: Module = Module::new("dialog", "dialog", "What callers hear, and what they are asked (treatments).").actions(&[
    Action::new("play", "Says something.").attributes(SPEECH).children(SAY).treatment(),
    Action::new("playandcollect", "Says something and takes digits.")
        .attributes(SPEECH)
        .children(ASK)
        .treatment()
        .done(&["digits"]),
    Action::new("playandverify", "Says something and takes digits that must be right.")
        .attributes(SPEECH)
        .children(ASK)
        .treatment()
        .done(&["digits"]),
    Action::new("playsound", "Plays music or a tone.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("type", Text, "`music`, `busy`, `fastbusy`, `ringback` or `silence`.").required(),
            expr("resource", Text, "What is played, such as `music/on_hold`."),
            expr("duration", Seconds, "How long."),
            HINTS,
        ])
        .treatment(),
    Action::new("collect", "Takes digits.")
        .attributes(SPEECH)
        .children(&[Child::Element(&INPUT)])
        .treatment()
        .done(&["digits"]),
    Action::new("start", "Starts an application, such as a VoiceXML page.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("type", Text, "What kind of application: `applid`."),
            expr("resource", Text, "Which one."),
            LANGUAGE,
            HINTS,
        ])
        .treatment()
        .done(&["extensions"])
        .events(&[Event::new("dialog.start.requestid", &["requestid"], "The request has its id.")]),
    Action::new("stop", "Ends a treatment.").attributes(&[
        expr("requestid", Text, "The request of the treatment."),
        INTERACTIONID,
        HINTS,
    ]),
    Action::new("remote", "Has another switch do it.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("resource", Text, "Where."),
            expr("type", Text, "What."),
            HINTS,
        ])
        .treatment(),
    Action::new("pause", "Waits.")
        .attributes(&[REQUESTID, INTERACTIONID, expr("duration", Seconds, "How long."), HINTS])
        .treatment(),
    Action::new("createann", "Records a user's announcement.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("userid", Text, "Whose."),
            expr("abort_digits", Text, "Digits that end it without a result."),
            expr("term_digits", Text, "Digits that end it."),
            expr("reset_digits", Text, "Digits that begin anew."),
            expr("start_timeout", Seconds, "Longest wait for a word."),
            expr("total_timeout", Seconds, "Longest time altogether."),
            HINTS,
        ])
        .children(SAY)
        .treatment()
        .done(&["userannid"]),
    Action::new("deleteann", "Deletes a user's announcement.")
        .attributes(&[
            REQUESTID,
            INTERACTIONID,
            expr("userid", Text, "Whose."),
            expr("userannid", Integer, "Which one."),
            HINTS,
        ])
        .treatment(),
    Action::new(
        "runtreatments",
        "What callers hear while they wait in a queue: its actions one after the other, again and again; they raise no events.",
    )
    .attributes(&[INTERACTIONID])
    .children(&[Child::Treatments])
    .nested(),
]);

const STATISTIC: Module = Module::new("statistic", "statistic", "Figures about agents, queues and groups.")
    .actions(&[
        Action::new("subscribe", "Asks to be told a figure again and again.").attributes(&[
            REQUESTID,
            expr("object", Text, "Whose, in the form of targets.").required(),
            expr("statistic", Text, "Which one.").required(),
            expr("interval", Seconds, "Time between two of them, more than 5.").or("30"),
        ]),
        Action::new("unsubscribe", "Ends that.").attributes(&[
            REQUESTID,
            expr("object", Text, "Whose.").required(),
            expr("statistic", Text, "Which one.").required(),
        ]),
    ])
    .events(&[Event::new(
        "statistic.update",
        &["object", "statistic", "value"],
        "The figure.",
    )]);

const RESOURCE: Module = Module::new("resource", "resource", "Agents, places, queues and DNs.");

const CLASSIFICATION: Module = Module::new("classification", "classification", "What texts of customers are about.")
    .actions(&[
        Action::new("classify", "Finds the categories of a text.")
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                expr("category", Text, "Among these."),
                expr("server", Text, "Who does it."),
                HINTS,
            ])
            .content()
            .done(&["categories"]),
        Action::new("screen", "Compares a text with screening rules.")
            .attributes(&[
                REQUESTID,
                INTERACTIONID,
                expr("rule", Text, "Which ones."),
                expr("server", Text, "Who does it."),
                HINTS,
            ])
            .content()
            .done(&["rules"]),
    ]);

const AGENT: Module = Module::new("agent", "agent", "What agents do.");

const INDEX: Attribute = expr("index", Text, "The index.");

const ELASTICCONNECTOR: Module = Module::new("elasticconnector", "elasticconnector", "Documents in Elasticsearch.")
    .actions(&[
        Action::new("createindextemplate", "Makes a template for indexes.")
            .attributes(&[
                REQUESTID,
                expr("name", Text, "Its name."),
                expr("index", Text, "Pattern of the indexes."),
                expr("order", Integer, "Of several templates the higher counts.").or("0"),
                expr("type", Text, "Type of the documents."),
                expr("settings", Object, "Settings of the indexes."),
            ])
            .content(),
        Action::new("createdoc", "Adds a document.")
            .attributes(&[
                REQUESTID,
                INDEX,
                expr("type", Text, "Its type."),
                expr("id", Text, "Its id."),
                expr("settings", Object, "How."),
            ])
            .content(),
        Action::new("updatedoc", "Changes a document.")
            .attributes(&[
                REQUESTID,
                INDEX,
                expr("type", Text, "Its type."),
                expr("id", Text, "Its id."),
                expr("settings", Object, "How."),
            ])
            .content(),
        Action::new("deletedoc", "Removes a document.").attributes(&[
            REQUESTID,
            INDEX,
            expr("type", Text, "Its type."),
            expr("id", Text, "Its id."),
            expr("settings", Object, "How."),
        ]),
    ]);
