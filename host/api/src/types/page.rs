use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::{IntoParams, ToSchema};

/// Items in a page when the client does not say.
pub const DEFAULT_PAGE: u32 = 100;

/// Most items in a page.
pub const MAX_PAGE: u32 = 1000;

/// Longest cursor a client may send back, in bytes.
pub const MAX_CURSOR_BYTES: usize = 512;

/// Which part of a list the client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before; absent: from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most items to answer, 1 to 1000; absent: 100.
    #[serde(default, deserialize_with = "limit", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A `limit` out of a query string: the number parser's own words would not say what is wanted. [`PageQuery::page`] checks the range.
pub(super) fn limit<'de, D: Deserializer<'de>>(query: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(query)?;
    let wrong = |_| D::Error::custom(format!("must be a whole number from 1 to {MAX_PAGE}"));
    text.parse().map(Some).map_err(wrong)
}

impl PageQuery {
    /// The page asked for, or what is wrong with the question.
    pub fn page(self) -> Result<Page, String> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(format!("`limit` is {limit}: it must be from 1 to {MAX_PAGE}"));
        }
        if self.cursor.as_ref().is_some_and(|c| c.len() > MAX_CURSOR_BYTES) {
            return Err("`cursor` is too long: send back the `next` of the page before, unchanged".into());
        }
        Ok(Page {
            cursor: self.cursor,
            limit: limit as usize,
        })
    }
}

/// A checked [`PageQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Opaque to the API: what the backend put into [`Listing::next`].
    pub cursor: Option<String>,
    /// From 1 to [`MAX_PAGE`].
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// The `cursor` of the following page; absent: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// A list that fits one page.
    pub fn whole(items: Vec<T>) -> Self {
        Listing { items, next: None }
    }
}
