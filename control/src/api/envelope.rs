//! What every answer looks like, and what is refused.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::query::Query;
use crate::{
    mistake::{Mistake, Mistakes},
    plane::{ChangeError, PlaneError},
};

/// An answer: its result, and where it is a page of a list, which.
#[derive(Debug)]
pub struct Envelope {
    result: Value,
    page: Option<Value>,
}

impl Envelope {
    /// One thing.
    pub fn of(result: impl Into<Value>) -> Self {
        Self { result: result.into(), page: None }
    }

    /// Nothing, and that is well.
    pub const fn nothing() -> Self {
        Self { result: Value::Null, page: None }
    }

    /// A page of a list. A client that asks for one behind the end gets an empty one, by which the SDKs find the end.
    pub fn page(all: Vec<Value>, page: Page) -> Self {
        let total = all.len();
        let skipped = page.number.saturating_sub(1).saturating_mul(page.size);
        let result: Vec<_> = all.into_iter().skip(skipped).take(page.size).collect();
        let info = json!({
            "page": page.number,
            "per_page": page.size,
            "count": result.len(),
            "total_count": total,
            "total_pages": total.div_ceil(page.size),
        });
        Self { result: Value::from(result), page: Some(info) }
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        let mut body = json!({
            "success": true, "errors": [], "messages": [], "result": self.result,
        });
        if let (Some(page), Some(body)) = (self.page, body.as_object_mut()) {
            body.insert(String::from("result_info"), page);
        }
        answer(StatusCode::OK, &body)
    }
}

/// Which page of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// From 1.
    pub number: usize,
    /// At least 1.
    pub size: usize,
}

impl Page {
    const SIZE: usize = 20;
    const SIZE_MAX: usize = 1000;

    /// As `page` and `per_page` say.
    ///
    /// # Errors
    ///
    /// Where either is no number.
    pub fn of(query: &Query) -> Result<Self, ApiError> {
        let number = |key: &str, usual: usize| match query.get(key) {
            None => Ok(usual),
            Some(text) => text.parse::<usize>().map_err(|_not_a_number| {
                ApiError::invalid(format!("{key} must be a number from 1"))
            }),
        };
        Ok(Self {
            number: number("page", 1)?.max(1),
            size: number("per_page", Self::SIZE)?.clamp(1, Self::SIZE_MAX),
        })
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// Of HTTP.
    pub status: StatusCode,
    /// For programs.
    pub code: u32,
    /// For people: what is wrong, and what to do.
    pub message: String,
    /// Each thing that is wrong, where it is more than one.
    pub chain: Vec<String>,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// Of this status and code.
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), chain: Vec::new(), retry_after: None }
    }

    /// What was sent breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, message)
    }

    /// There is no such thing.
    pub fn missing(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, MISSING, format!("there is no {what} {id:?}"))
    }

    /// What was there already. Of status 400, since the SDKs send a 409 again and again.
    pub fn taken(what: &str, name: &str) -> Self {
        let message = format!("there is a {what} {name:?} already; choose another name");
        Self::new(StatusCode::BAD_REQUEST, TAKEN, message)
    }

    /// Something else needs it.
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, IN_USE, message)
    }

    /// It must be allowed by somebody with more rights.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN, message)
    }
}

impl From<Mistakes> for ApiError {
    fn from(mistakes: Mistakes) -> Self {
        let all: Vec<_> = mistakes.into_iter().map(|mistake| mistake.to_string()).collect();
        let mut error = Self::invalid(all.join("; "));
        if all.len() > 1 {
            error.chain = all;
        }
        error
    }
}

impl From<Mistake> for ApiError {
    fn from(mistake: Mistake) -> Self {
        Self::invalid(mistake.to_string())
    }
}

impl From<PlaneError> for ApiError {
    fn from(error: PlaneError) -> Self {
        let shown = &error as &dyn std::error::Error;
        tracing::error!(error = shown, "the store could not be used");
        let message = "the store cannot be used now; the control node's log says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, message)
    }
}

impl From<ChangeError<Self>> for ApiError {
    fn from(error: ChangeError<Self>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Plane(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let chain: Vec<_> = self
            .chain
            .iter()
            .map(|message| json!({ "code": self.code, "message": message }))
            .collect();
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (false, Some(error)) = (chain.is_empty(), error.as_object_mut()) {
            error.insert(String::from("error_chain"), Value::from(chain));
        }
        let body = json!({
            "success": false, "errors": [error], "messages": [], "result": null,
        });
        let mut response = answer(self.status, &body);
        let headers = response.headers_mut();
        if !self.status.is_server_error() && self.status != StatusCode::TOO_MANY_REQUESTS {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body.to_string()).into_response()
}

/// The token is missing, unknown or expired; `wrangler` shows then who it is.
pub(crate) const UNAUTHENTICATED: u32 = 10000;
pub(crate) const FORBIDDEN: u32 = 9109;
pub(crate) const INVALID: u32 = 1001;
pub(crate) const TAKEN: u32 = 1002;
pub(crate) const MISSING: u32 = 1003;
pub(crate) const IN_USE: u32 = 1004;
pub(crate) const CONFLICT: u32 = 1005;
pub(crate) const THROTTLED: u32 = 1015;
pub(crate) const UNAVAILABLE: u32 = 1500;
