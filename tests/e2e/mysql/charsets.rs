//! Character sets and collations, set in each way and in each order, are the client's own on whatever backend: what SHOW
//! VARIABLES shows of them, and what columns are told with.

use e2e::mysql::{Server, stage::Place};

use super::exactly::Pair;

/// Each way to set one of them.
const WAYS: [&str; 38] = [
    "SET NAMES latin1",
    "SET NAMES utf8mb3",
    "SET NAMES utf8mb4",
    "SET NAMES binary",
    "SET NAMES DEFAULT",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES latin1 COLLATE latin1_bin",
    "SET CHARACTER SET latin1",
    "SET CHARACTER SET utf8mb4",
    "SET CHARACTER SET DEFAULT",
    "SET character_set_client = cp1251",
    "SET character_set_client = DEFAULT",
    "SET character_set_connection = latin1",
    "SET character_set_connection = utf8mb4",
    "SET character_set_connection = ucs2",
    "SET character_set_connection = DEFAULT",
    "SET @@character_set_connection = utf8mb4",
    "SET character_set_results = latin1",
    "SET character_set_results = utf8mb4",
    "SET character_set_results = NULL",
    "SET character_set_results = DEFAULT",
    "SET collation_connection = latin1_bin",
    "SET collation_connection = latin1_swedish_ci",
    "SET collation_connection = utf8mb3_bin",
    "SET collation_connection = utf8mb4_bin",
    "SET collation_connection = utf8mb4_unicode_ci",
    "SET collation_connection = utf8mb4_general_ci",
    "SET collation_connection = ucs2_unicode_ci",
    "SET collation_connection = utf16_bin",
    "SET collation_connection = utf32_general_ci",
    "SET collation_connection = binary",
    "SET collation_connection = DEFAULT",
    "SET @@collation_connection = utf8mb4_bin",
    "SET collation_server = latin1_bin",
    "SET character_set_server = utf8mb4",
    "SET character_set_filesystem = utf8mb4",
    "SET collation_database = latin1_bin",
    "SET character_set_database = latin1",
];

/// What comes behind each of them.
const SECOND: [&str; 7] = [
    "DO 0",
    "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
    "SET CHARACTER SET utf8mb4",
    "SET character_set_results = utf8mb4",
    "SET collation_connection = utf8mb4_bin",
    "SET collation_connection = ucs2_unicode_ci",
    "USE app",
];

/// FAULTS row 34, and §3 "collation id 46 for 45 after a move".
async fn each_way_of_setting_a_character_set_follows_its_client(place: Place) {
    let mut pair = Pair::open(place, 2).await;
    let own = match place.server {
        Server::MySql => "SET default_collation_for_utf8mb4 = utf8mb4_general_ci",
        Server::MariaDb => "SET collation_connection = utf8mb4_nopad_bin",
    };
    for first in WAYS.into_iter().chain([own]) {
        for second in SECOND {
            pair.compare_anew(
                [
                    &*format!("a: {first}"),
                    "b: SET NAMES latin1 COLLATE latin1_bin",
                    &format!("a: {second}"),
                    "b: SET character_set_results = NULL",
                    "b: SET collation_server = utf8mb4_bin",
                    "a: SHOW VARIABLES LIKE 'char%'",
                    "b: SET NAMES cp1251",
                    "a: SHOW VARIABLES LIKE 'coll%'",
                    "a: SELECT 'a', concat('a', 'b'), _latin1'x', name FROM item WHERE id = 1",
                    "execute SELECT 'a', name FROM item WHERE id = 2",
                ]
                .map(|step| {
                    if step.starts_with("execute") { format!("a: {step}") } else { step.to_owned() }
                }),
            )
            .await;
        }
    }
    pair.end();
}

e2e::mysql_scenarios! {
    jumpgate_both: [
        each_way_of_setting_a_character_set_follows_its_client,
    ],
}
