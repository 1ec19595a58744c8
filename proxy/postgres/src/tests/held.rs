//! What belongs to one backend, or to what was under way on it, does not reach the next.

use super::play;

/// A COPY may take as long as it takes, and what comes behind it may not, also where the next backend is given settings first.
#[tokio::test(start_paused = true)]
async fn a_limit_that_was_lifted_holds_again_on_the_next_backend() {
    play(
        "statement_timeout = 5",
        r#"C> Query set work_mem to 1
         B1< Query set work_mem to 1
         B1> Complete SET | Ready I
         C< Complete SET | Ready I
         C> Query copy t from stdin
         B1< Query copy t from stdin
         B1> CopyIn
         C< CopyIn
         C> CopyDone
         B1< CopyDone
         B1> Complete COPY 0 | Ready I
         C< Complete COPY 0 | Ready I
         D> Query begin
         B1< Query RESET "work_mem"; | Query begin
         B1> Complete RESET | Ready I | Complete BEGIN | Ready T
         D< Complete BEGIN | Ready T
         C> Query select 1
         B2< Query SET work_mem TO 1; | Query select 1
         B2> Complete SET | Ready I
         wait 6s
         K< B2
         K> done
         B2> Error 57014 | Ready I
         C< Error 57014 | Ready I"#,
    )
    .await;
}
