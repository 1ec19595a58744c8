//! What sessions begin with, while it changes at the origin.

use super::play;

/// FAULTS row 15: backends that began otherwise are not lent beside each other.
#[tokio::test(start_paused = true)]
async fn a_backend_that_begins_otherwise_ends_those_before_it() {
    for change in ["TimeZone=Asia/Tokyo", "stored=search_path=tenant"] {
        let told =
            if change.starts_with("stored") { "" } else { "Parameter TimeZone=Asia/Tokyo | " };
        play(
            "",
            &format!(
                "C> Query begin
                 B1< Query begin
                 B1> Complete BEGIN | Ready T
                 C< Complete BEGIN | Ready T
                 D> Query select 1
                 B2< Query select 1
                 B2> Complete SELECT 0 | Ready I
                 D< Complete SELECT 0 | Ready I
                 begins {change}
                 D> Query begin
                 B2< Query begin
                 B2> Complete BEGIN | Ready T
                 D< Complete BEGIN | Ready T
                 # One is opened as both are in use: it is of another kind.
                 E> Query begin
                 B3< Query begin
                 B3> Complete BEGIN | Ready T
                 E< {told}Complete BEGIN | Ready T
                 C> Query commit
                 B1< Query commit
                 B1> Complete COMMIT | Ready I
                 C< Complete COMMIT | Ready I
                 B1< closed
                 D> Query commit
                 B2< Query commit
                 B2> Complete COMMIT | Ready I
                 D< Complete COMMIT | Ready I
                 B2< closed
                 D> Query select 2
                 B4< Query select 2
                 B4> Complete SELECT 0 | Ready I
                 D< {told}Complete SELECT 0 | Ready I"
            ),
        )
        .await;
    }
}

/// FAULTS row 15: what is said through the proxy is known at once.
#[tokio::test(start_paused = true)]
async fn an_alter_role_through_the_proxy_ends_the_backends_of_before() {
    play(
        "",
        "C> Query select 1
         B1< Query select 1
         B1> Complete SELECT 0 | Ready I
         C< Complete SELECT 0 | Ready I
         D> Query alter role app set datestyle = 'German'
         B1< Query alter role app set datestyle = 'German'
         begins TimeZone=Asia/Tokyo
         B1> Complete ALTER ROLE | Ready I
         D< Complete ALTER ROLE | Ready I
         B1< closed
         C> Query select 1
         B2< Query select 1
         B2> Complete SELECT 0 | Ready I
         C< Parameter TimeZone=Asia/Tokyo | Complete SELECT 0 | Ready I
         D> Query select 1
         B2< Query select 1
         B2> Complete SELECT 0 | Ready I
         D< Parameter TimeZone=Asia/Tokyo | Complete SELECT 0 | Ready I",
    )
    .await;
}

/// FAULTS row 15: nor does one stay whose login had begun before.
#[tokio::test(start_paused = true)]
async fn a_login_that_an_alter_role_overtakes_is_done_again() {
    play(
        "",
        "C> Query begin
         B1< Query begin
         B1> Complete BEGIN | Ready T
         C< Complete BEGIN | Ready T
         begins login=1s
         D> Query select 1
         wait 500ms
         C> Query alter role app reset all; commit
         begins TimeZone=Asia/Tokyo
         begins login=0s
         B1< Query alter role app reset all; commit
         B1> Complete ALTER ROLE | Complete COMMIT | Ready I
         C< Complete ALTER ROLE | Complete COMMIT | Ready I
         B1< closed
         wait 1s
         B2< closed
         B3< Query select 1
         B3> Complete SELECT 0 | Ready I
         D< Parameter TimeZone=Asia/Tokyo | Complete SELECT 0 | Ready I",
    )
    .await;
}
