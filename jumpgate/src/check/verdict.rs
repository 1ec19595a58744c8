//! The walk to a database of a config that somebody asked for, as the API tells of it.

use std::time::Duration;

use control::{
    Draft,
    fleet::{Reached, Unreachable},
};
use serde_json::json;
use tokio::time::timeout;

use super::{step::Fault, walk::Walk};
use crate::config::served_alone;

/// A little less than the API waits.
const PATIENCE: Duration = Duration::from_secs(28);

/// Walks to the database of a draft, from here.
///
/// # Errors
///
/// Where the way ends, and what to do; no secret is in it.
///
/// # Cancel safety
///
/// Dropped before it ends, its connection is closed.
pub async fn reach(mut draft: Draft) -> Reached {
    let unfit = |why: String| Unreachable {
        code: Fault::Other.code(),
        message: format!("the config cannot be used: {why}"),
        steps: Vec::new(),
    };
    // Clients have no part in it, and hashing their passwords takes its time.
    draft.users.clear();
    let config = draft.check().map_err(|mistakes| unfit(mistakes.to_string()))?;
    let database = served_alone(&config).map_err(|mistake| unfit(mistake.to_string()))?;
    let walk = timeout(PATIENCE, Walk::to(&database)).await.map_err(|_elapsed| Unreachable {
        code: Fault::Unreachable.code(),
        message: String::from("Failed to connect to the provided database: no answer in time"),
        steps: Vec::new(),
    })?;
    verdict(&walk)
}

fn verdict(walk: &Walk) -> Reached {
    let steps = walk.lines();
    let end = walk.steps().iter().find_map(|step| Some((step.name, step.outcome.as_ref().err()?)));
    let Some((name, end)) = end else { return Ok(json!({ "steps": steps })) };
    let message = format!(
        "Failed to connect to the provided database: it ends at {name}: {}. {}",
        end.reason, end.remedy
    );
    Err(Unreachable { code: end.fault.code(), message, steps })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn draft(host: &str, port: u16) -> Draft {
        let json = json!({ "name": "d", "origin": {
            "scheme": "postgres", "host": host, "port": port, "database": "d", "user": "u",
            "password": "hunter2",
        } });
        serde_json::from_value(json).unwrap()
    }

    #[tokio::test]
    async fn a_way_that_ends_has_the_code_of_its_layer_and_no_secret() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let refuses = reach(draft("database.invalid", 1)).await.unwrap_err();
        assert_eq!(refuses.code, 2008, "{refuses:?}");
        assert!(refuses.message.contains("it ends at DNS"), "{refuses:?}");
        let closes = async {
            drop(listener.accept().await.unwrap());
            drop(listener);
        };
        let (closed, ()) = tokio::join!(reach(draft("127.0.0.1", port)), closes);
        let closed = closed.unwrap_err();
        assert!(closed.message.contains("it ends at database TLS"), "{closed:?}");
        assert!(!format!("{closed:?}").contains("hunter2"));
        let refused = reach(draft("127.0.0.1", port)).await.unwrap_err();
        assert_eq!(refused.code, 2011, "{refused:?}");
        let unfit = reach(Draft::default()).await.unwrap_err();
        assert_eq!(unfit.code, 2015, "{unfit:?}");
    }
}
