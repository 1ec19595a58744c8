//! mysql_async, unmodified: pools that reset their connections, prepared statements, transactions, files, types.

use e2e::{
    jumpgate::Setup,
    mysql::stage::{Place, Stage},
};
use futures_util::{StreamExt, future::try_join_all};
use mysql_async::{
    Conn, Error, IsolationLevel, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row,
    TxOpts, Value, prelude::Queryable,
};

fn options(stage: &Stage) -> OptsBuilder {
    let url = stage.endpoint().url_of("mysql");
    OptsBuilder::from_opts(Opts::from_url(&url).expect("a connection string"))
        // Without it the driver would ask for the server's unix socket.
        .prefer_socket(false)
}

async fn connect(stage: &Stage) -> Conn {
    Conn::new(options(stage)).await.expect("a connection")
}

/// What the statement below returns.
type Values = (i64, u64, f64, String, Option<i32>, Vec<u8>);

async fn values_of_all_types_come_back(place: Place) {
    let stage = Stage::open(place).await;
    let mut conn = connect(&stage).await;
    for turn in 0..3_i64 {
        let values: (i64, u64, f64, &str, Option<i32>, &[u8]) =
            (turn, u64::MAX, 0.1, "ü€", None, b"\0\xff");
        let row: Option<Values> =
            conn.exec_first("SELECT ?, ?, ?, ?, ?, ?", values).await.expect("a row");
        let row = row.expect("a row");
        assert_eq!(
            (row.0, row.1, row.3.as_str(), row.4, row.5.as_slice()),
            (turn, u64::MAX, "ü€", None, &b"\0\xff"[..])
        );
    }
    let text: Vec<Row> = conn.query("SELECT * FROM kinds ORDER BY id").await.expect("text rows");
    let binary: Vec<Row> =
        conn.exec("SELECT * FROM kinds ORDER BY id", ()).await.expect("binary rows");
    assert_eq!(text.len(), 3);
    assert_eq!(binary[0].get::<i64, _>("b"), Some(i64::MIN));
    assert_eq!(text[0].get::<String, _>("v"), binary[0].get::<String, _>("v"));
    assert_eq!(binary[2].as_ref(1), Some(&Value::NULL));
    let error = conn.query_drop("SELECT * FROM nothing").await.expect_err("no such table");
    assert!(matches!(error, Error::Server(error) if error.code == 1146));
    conn.ping().await.expect("a ping");
    conn.disconnect().await.expect("a goodbye");
}

async fn a_pool_resets_what_it_hands_out(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let constraints = PoolConstraints::new(1, 4).expect("constraints");
    let pool =
        Pool::new(options(&stage).pool_opts(PoolOpts::default().with_constraints(constraints)));
    for turn in 0..5 {
        let mut conn = pool.get_conn().await.expect("a connection");
        let left: Option<Option<i64>> = conn.query_first("SELECT @left").await.expect("a row");
        assert_eq!(left, Some(None), "turn {turn}");
        conn.query_drop("SET @left = 1, time_zone = '+05:00'").await.expect("a SET");
        let zone: Option<String> = conn.query_first("SELECT @@time_zone").await.expect("a row");
        assert_eq!(zone.as_deref(), Some("+05:00"));
    }
    let asked = (0..60_i64).map(|n| {
        let pool = pool.clone();
        async move {
            let mut conn = pool.get_conn().await?;
            conn.exec_first::<i64, _, _>("SELECT ? * 2", (n,)).await
        }
    });
    let sums = try_join_all(asked).await.expect("sums");
    assert!(
        sums.into_iter().enumerate().all(|(n, sum)| sum == i64::try_from(n).ok().map(|n| n * 2))
    );
    pool.disconnect().await.expect("a goodbye");
}

async fn transactions_are_ones_own(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut a, mut b) = (connect(&stage).await, connect(&stage).await);
    let balance = "SELECT balance FROM account WHERE id = 1";
    let mut options = TxOpts::default();
    options.with_isolation_level(IsolationLevel::ReadCommitted);
    let mut transaction = a.start_transaction(options).await.expect("a transaction");
    transaction
        .exec_drop("UPDATE account SET balance = ? WHERE id = 1", (7,))
        .await
        .expect("an update");
    assert_eq!(b.query_first::<i64, _>(balance).await.expect("a row"), Some(100));
    transaction.rollback().await.expect("a rollback");
    let mut read_only = TxOpts::default();
    read_only.with_readonly(true);
    let mut transaction = a.start_transaction(read_only).await.expect("a transaction");
    let refused = transaction.query_drop("UPDATE account SET balance = 0").await;
    assert!(matches!(refused, Err(Error::Server(error)) if error.code == 1792));
    transaction.commit().await.expect("a commit");
    let inserts: Vec<(String,)> = (0..50).map(|n| (format!("row {n}"),)).collect();
    b.exec_batch("INSERT INTO counter (name) VALUES (?)", inserts).await.expect("a batch");
    let last = b.last_insert_id().expect("an id");
    a.query_drop("INSERT INTO counter (name) VALUES ('a')").await.expect("an insert");
    assert_eq!(
        b.query_first::<u64, _>("SELECT LAST_INSERT_ID()").await.expect("a row"),
        Some(last)
    );
    for conn in [a, b] {
        conn.disconnect().await.expect("a goodbye");
    }
}

async fn many_results_stream(place: Place) {
    let stage = Stage::open(place).await;
    let mut conn = connect(&stage).await;
    let mut result = conn.query_iter("CALL two_sets()").await.expect("a call");
    assert_eq!(result.collect::<i64>().await.expect("the first set"), [1]);
    assert_eq!(result.collect::<(i64, String)>().await.expect("the second set").len(), 2);
    drop(result);
    let mut stream = conn
        .exec_stream::<(i64, String), _, _>(
            "SELECT id, filler FROM wide ORDER BY id",
            Params::Empty,
        )
        .await
        .expect("a stream");
    let mut count = 0;
    while let Some(row) = stream.next().await {
        assert_eq!(row.expect("a row").0, count);
        count += 1;
    }
    assert_eq!(count, 3000);
    drop(stream);
    let both: (Option<i64>, Option<i64>) = {
        let mut result = conn.query_iter("SELECT 1; SELECT 2").await.expect("two statements");
        let first = result.collect::<i64>().await.expect("a set").pop();
        (first, result.collect::<i64>().await.expect("a set").pop())
    };
    assert_eq!(both, (Some(1), Some(2)));
    conn.disconnect().await.expect("a goodbye");
}

async fn a_local_file_is_sent(place: Place) {
    let stage = Stage::open(place).await;
    let mut conn = connect(&stage).await;
    let rows = futures_util::stream::iter((100..20_000).map(|n| Ok(format!("{n}\tname\n").into())));
    conn.set_infile_handler(async move { Ok(rows.boxed()) });
    conn.query_drop("LOAD DATA LOCAL INFILE 'f' INTO TABLE legacy").await.expect("a load");
    assert_eq!(conn.affected_rows(), 19_900);
    conn.query_drop("DELETE FROM legacy WHERE id >= 100").await.expect("a delete");
    conn.disconnect().await.expect("a goodbye");
}

e2e::mysql_scenarios! {
    everywhere: [
        a_pool_resets_what_it_hands_out,
    ],
    both: [
        values_of_all_types_come_back,
        transactions_are_ones_own,
        many_results_stream,
    ],
    twice: [
        a_local_file_is_sent,
    ],
}
