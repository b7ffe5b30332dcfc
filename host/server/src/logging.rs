//! The server's own log. What a strategy logs belongs to its session: `pointsman sessions log`.

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// Environment variable with the filter, where `--log` is absent.
const FILTER: &str = "POINTSMAN_LOG";

/// What is logged, and how. Always to the standard error.
#[derive(Args)]
pub(crate) struct Options {
    /// What to log: error, warn, info, debug, trace, or by part, such as `info,pointsman_telephony=debug`
    /// [env: POINTSMAN_LOG; default: info for serve, else warn]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Log")]
    log: Option<String>,
    /// The shape of the log's lines
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Log")]
    log_format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Starts logging, with this filter unless another one is asked for.
pub(crate) fn start(options: &Options, default: &str) -> Result<(), Failure> {
    let from_environment = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let (filter, whence) = match (&options.log, from_environment) {
        (Some(filter), _) => (filter.clone(), "--log"),
        (None, Some(filter)) => (filter, FILTER),
        (None, None) => (default.to_owned(), "the default filter"),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::Usage(format!(
            "{whence} is `{filter}`, which is no filter ({error}): write such as `info` or `warn,pointsman_api=debug`"
        ))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match options.log_format {
        Format::Text => subscriber.init(),
        Format::Json => subscriber.json().init(),
    }
    Ok(())
}
