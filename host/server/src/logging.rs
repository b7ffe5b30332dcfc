//! The server's own log. What a strategy logs belongs to its session: `pointsman sessions log`.
//!
//! The command line and the environment decide first, then `[application.log]`, which is read after logging has begun and
//! may change while the server runs: [`apply`].

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use pointsman_config::{Log, LogFormat};
use std::sync::OnceLock;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Environment variable with the filter, where `--log` is absent.
const FILTER: &str = "POINTSMAN_LOG";

/// What is logged, and how. Always to the standard error.
#[derive(Args)]
pub(crate) struct Options {
    /// What to log: error, warn, info, debug, trace, or by part, such as `info,pointsman_telephony=debug`
    /// [env: POINTSMAN_LOG; default: `log.verbose` of the configuration for serve, else warn]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Log")]
    log: Option<String>,
    /// The shape of the log's lines [default: `log.format` of the configuration for serve, else text]
    #[arg(long, global = true, value_enum, help_heading = "Log")]
    log_format: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type Lines = Box<dyn Layer<Filtered> + Send + Sync>;

/// What a configuration may still change: nothing that was asked for when the process was started.
struct Adjustable {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    lines: Option<reload::Handle<Lines, Filtered>>,
}

static ADJUSTABLE: OnceLock<Adjustable> = OnceLock::new();

/// Starts logging, with this filter unless another one is asked for.
pub(crate) fn start(options: &Options, default: &str) -> Result<(), Failure> {
    let from_environment = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let (filter, whence) = match (&options.log, from_environment) {
        (Some(filter), _) => (filter.clone(), Some("--log")),
        (None, Some(filter)) => (filter, Some(FILTER)),
        (None, None) => (default.to_owned(), None),
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::Usage(format!(
            "{} is `{filter}`, which is no filter ({error}): write such as `info` or `warn,pointsman_api=debug`",
            whence.unwrap_or("the default filter")
        ))
    })?;
    let (filter_layer, filter_handle) = reload::Layer::new(parsed);
    let (lines_layer, lines_handle) = reload::Layer::new(lines(options.log_format.unwrap_or(Format::Text)));
    tracing_subscriber::registry()
        .with(filter_layer)
        .with(lines_layer)
        .init();
    let adjustable = Adjustable {
        filter: whence.is_none().then_some(filter_handle),
        lines: options.log_format.is_none().then_some(lines_handle),
    };
    // `main` starts logging once.
    let _set_already = ADJUSTABLE.set(adjustable);
    Ok(())
}

/// Applies `[application.log]`: both options when the server starts, the filter alone afterwards.
pub(crate) fn apply(log: &Log) {
    static FORMAT: OnceLock<()> = OnceLock::new();
    let Some(adjustable) = ADJUSTABLE.get() else { return };
    if let Some(handle) = &adjustable.filter {
        // Fails only when the subscriber is gone, and with it the log.
        let _no_log = handle.reload(EnvFilter::new(log.verbose.tracing_level()));
    }
    // Changed under way, it would meet spans whose fields were written in the other shape.
    if let Some(handle) = &adjustable.lines
        && FORMAT.set(()).is_ok()
    {
        let _no_log = handle.reload(lines(match log.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        }));
    }
}

fn lines(format: Format) -> Lines {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        Format::Text => Box::new(lines),
        Format::Json => Box::new(lines.json()),
    }
}
