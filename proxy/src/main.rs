//! The binary `jumpgate`: reads the command line and runs one role or one tool.

use std::{io, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use proxy::{
    args::{Args, Command, ConnectorArgs, DEFAULT_CONFIG},
    check::Walk,
    config::{
        Config, ConfigError, ConnectorSetup, DatabaseConfig, Document, EdgeSetup, Engine,
        LogConfig, LogFormat,
    },
    dev, files, logging, observe,
    operator::{self, OperatorError, args::EdgeAction},
    purge, report,
    salts::Salts,
    server::Server,
    shutdown::{Shutdown, Signals},
    why,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tunnel::{
    connector::Connector,
    edge::{BindError, Edge},
};

/// Memory that is free goes back to the system within seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long what runs may take to finish after the first signal.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = files::raise_limit() {
        report::problem(&format!("the limit of open files stays as it is: {error}"));
    }
    let served = runtime(args.worker_threads())
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(run(args)));
    match served {
        Ok(code) => code,
        Err(error) => {
            report::problem(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One thread needs no scheduler that steals.
fn runtime(threads: usize) -> io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let log = args.log.as_deref();
    // Before anything that takes time, and long before anybody can see us: unheard, it ends the process.
    let hangups = signal(SignalKind::hangup()).context("cannot follow SIGHUP")?;
    let Some(command) = args.command else {
        anyhow::ensure!(args.check, "say what to do, or --check (jumpgate --help shows more)");
        return check_file(&args.config);
    };
    if let Command::Dev(dev_args) = &command {
        logging::start(&LogConfig { filter: String::from("warn"), ..LogConfig::default() }, log)?;
        return Ok(dev::run(dev_args).await?);
    }
    if args.check {
        return check_file(&args.config);
    }
    if let Command::Edge { action: Some(EdgeAction::Init { public, connectors }) } = &command {
        report::line(&operator::init(&args.config, *public, *connectors)?);
        return Ok(ExitCode::SUCCESS);
    }
    let document = match &command {
        Command::Connector(flags) => connector_document(&args.config, flags)?,
        Command::Edge { .. } | Command::Tunnel(_) | Command::Access(_) => {
            let remedy =
                "begin with `jumpgate edge init`, or name the edge's file with --config FILE";
            read_or(&args.config, remedy)?
        }
        _ => read_or(&args.config, "see jumpgate.example.toml, or name a file with --config FILE")?,
    };
    logging::start(&document.log()?, log)?;
    match command {
        Command::Proxy => run_proxy(&args.config, &document, hangups).await,
        Command::Edge { .. } => outlive_hangups(hangups, run_edge(&document)).await,
        Command::Tunnel(action) => said(operator::tunnel(&document.edge_store()?, &action)),
        Command::Access(action) => said(operator::access(&document.edge_store()?, &action)),
        Command::Connector(_) => outlive_hangups(hangups, run_connector(&document)).await,
        Command::Check { name } => check_way(&document, &name).await,
        Command::Why { name, sql } => explain(&document, &name, &sql).await,
        Command::Purge { name, tables } => forget(&document, &name, &tables).await,
        // It has no file and was run above.
        Command::Dev(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Prints what an operator's tool has to say.
fn said(words: Result<String, OperatorError>) -> anyhow::Result<ExitCode> {
    report::line(&words?);
    Ok(ExitCode::SUCCESS)
}

/// `--check`: everything that the file says, for every role that it has sections for.
fn check_file(path: &Path) -> anyhow::Result<ExitCode> {
    let document = Document::read(path)?;
    let (mut roles, mut mistakes) = (Vec::new(), Vec::new());
    let mut of_role = |role: Result<String, ConfigError>| match role {
        Ok(role) => roles.push(role),
        Err(error) => mistakes.push(error.to_string()),
    };
    if document.has_proxy() {
        of_role(document.proxy().map(|config| {
            config.notes.iter().for_each(|note| report::line(&format!("note: {note}")));
            format!("proxy with {} database(s)", config.databases.len())
        }));
    }
    if document.has_edge() {
        let hostnames = |edge: EdgeSetup| edge.config.state.routes.len();
        of_role(document.edge().map(|edge| format!("edge for {} hostname(s)", hostnames(edge))));
    }
    if document.has_connector() {
        let edges = |setup: ConnectorSetup| setup.connector.edge.len();
        of_role(document.connector().map(|it| format!("connector to {} edge(s)", edges(it))));
    }
    anyhow::ensure!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    document.log()?;
    anyhow::ensure!(!roles.is_empty(), "{}: there is nothing in it for any role", path.display());
    report::line(&format!("{}: good, {}", path.display(), roles.join(", ")));
    Ok(ExitCode::SUCCESS)
}

async fn run_proxy(path: &Path, document: &Document, hangups: Signal) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    let signals = Signals::new().context("cannot follow signals")?;
    let config = document.proxy()?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let format = config.log.format;
    let salts = config.salts.clone();
    let server = Server::bind(config, shutdown.clone()).await?;
    for engine in [Engine::Postgres, Engine::MySql] {
        if let Some(address) = server.address(engine) {
            report::listening(format, engine.word(), address);
        }
    }
    if let Some(address) = server.admin_address() {
        report::listening(format, "admin", address);
    }
    let (configs, reloads) = mpsc::channel(1);
    let reloading = follow_reloads(path, salts, hangups, (configs, server.metrics()));
    let background = async { tokio::join!(shutdown.follow(signals, DRAIN_DEADLINE), reloading).1 };
    tokio::select! {
        served = server.run(reloads) => served?,
        followed = background => followed?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_edge(document: &Document) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot follow signals")?;
    let EdgeSetup { mut config, keeper, metrics } = document.edge()?;
    if let Some(keeper) = &keeper {
        config.signing_keys = Some(keeper.signing_keys().await?);
    }
    let edge = Edge::bind(config).await.map_err(|error| match &error {
        BindError::Listen { address, source } => {
            anyhow::anyhow!("{}{}", report::chain(&error), report::port_remedy(*address, source))
        }
        _ => error.into(),
    })?;
    let format = document.log()?.format;
    report::listening(format, "edge public", edge.public_addr());
    report::listening(format, "edge connectors", edge.connectors_addr());
    let stop = CancellationToken::new();
    let (handle, watched) = (edge.handle(), edge.handle());
    let keeping = async {
        match keeper {
            Some(keeper) => keeper.run(handle).await,
            None => std::future::pending().await,
        }
    };
    let pages = async {
        let Some(address) = metrics else { return Ok(()) };
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        report::listening(format, "edge metrics", listener.local_addr()?);
        observe::edge::serve(listener, watched, stop.clone()).await?;
        anyhow::Ok(())
    };
    let ending = async {
        signals.recv().await;
        tracing::info!("draining; a second signal ends at once");
        stop.cancel();
        signals.recv().await;
    };
    tokio::select! {
        () = edge.run(stop.clone()) => {}
        () = keeping => {}
        () = ending => {}
        Err(error) = pages => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// The file; where there is none, what to do.
fn read_or(path: &Path, remedy: &str) -> anyhow::Result<Document> {
    let read = Document::read(path);
    if path.exists() { Ok(read?) } else { read.with_context(|| remedy.to_owned()) }
}

/// The file with the flags over it. Where the flags are enough, the file of the default name may be missing.
fn connector_document(path: &Path, flags: &ConnectorArgs) -> anyhow::Result<Document> {
    let is_needed = path != Path::new(DEFAULT_CONFIG) || !flags.is_enough();
    let document = if is_needed || path.exists() {
        let remedy =
            "give --edge HOST:PORT and --token-file FILE, or name a file with --config FILE";
        read_or(path, remedy)?
    } else {
        Document::parse(Path::new("command line"), String::new())?
    };
    Ok(document.with_connector_flags(flags))
}

async fn run_connector(document: &Document) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot follow signals")?;
    let (setup, format) = (document.connector()?, document.log()?.format);
    let connector = Connector::new(setup.connector);
    let mut registered = connector.registered();
    let stop = CancellationToken::new();
    let monitor = connector.monitor();
    let pages = async {
        let Some(address) = setup.metrics else { return Ok(()) };
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        report::listening(format, "connector metrics", listener.local_addr()?);
        observe::connector::serve(listener, monitor, CancellationToken::new()).await?;
        anyhow::Ok(())
    };
    let running = connector.run(stop.clone());
    let ending = async {
        signals.recv().await;
        tracing::info!("draining; a second signal ends at once");
        stop.cancel();
        // A second one ends the streams that are still open, too.
        signals.recv().await;
    };
    let counting = async {
        while registered.changed().await.is_ok() {
            let count = *registered.borrow_and_update();
            match format {
                LogFormat::Text => report::line(&format!("jumpgate: connector registered {count}")),
                LogFormat::Json => tracing::info!(count, "connector registered"),
            }
        }
    };
    tokio::select! {
        // Not both: the pages hold what is counted, so there is always more to count.
        () = running => {}
        () = async { counting.await; std::future::pending().await } => {}
        () = ending => {}
        Err(error) = pages => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// The `[[database]]` that a tool was asked about.
fn database(document: &Document, name: &str) -> anyhow::Result<Arc<DatabaseConfig>> {
    let config = document.proxy()?;
    let found = config.databases.iter().find(|database| database.name == name);
    found.cloned().with_context(|| {
        let names = config.databases.iter().map(|database| format!("{:?}", database.name));
        let names = names.collect::<Vec<_>>().join(", ");
        format!("the file has no [[database]] with the name {name:?}; it has {names}")
    })
}

async fn check_way(document: &Document, name: &str) -> anyhow::Result<ExitCode> {
    let walk = Walk::to(&*database(document, name)?).await;
    report::line(&format!("The way to {name:?}:"));
    for line in walk.lines() {
        report::line(&line);
    }
    Ok(if walk.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn explain(document: &Document, name: &str, sql: &str) -> anyhow::Result<ExitCode> {
    let explained = why::explain(&*database(document, name)?, sql).await;
    for line in explained.map_err(anyhow::Error::from_boxed)? {
        report::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

async fn forget(document: &Document, name: &str, tables: &[String]) -> anyhow::Result<ExitCode> {
    let remedy = "the file has no [admin] with `listen`, by which the running proxy could be asked";
    let admin = document.proxy()?.admin.context(remedy)?;
    purge::purge(admin, name, tables).await?;
    let what = if tables.is_empty() { String::from("all") } else { tables.join(", ") };
    report::line(&format!("Purged of {name:?}: {what}"));
    Ok(ExitCode::SUCCESS)
}

/// Runs a role that reads no file again.
async fn outlive_hangups(
    mut hangups: Signal,
    role: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let unheeded = async {
        loop {
            hangups.recv().await;
            tracing::warn!("SIGHUP reads nothing again here: only a restart takes in a new file");
        }
    };
    tokio::select! {
        ended = role => ended,
        () = unheeded => Ok(ExitCode::SUCCESS),
    }
}

/// On SIGHUP reads the whole file again; only a file without a mistake is taken.
async fn follow_reloads(
    path: &Path,
    salts: Salts,
    mut hangups: Signal,
    (configs, metrics): (mpsc::Sender<Config>, Arc<observe::Metrics>),
) -> anyhow::Result<()> {
    loop {
        hangups.recv().await;
        let (path, salts) = (path.to_owned(), salts.clone());
        match tokio::task::spawn_blocking(move || Config::reload(&path, &salts)).await? {
            Ok(config) => configs.send(config).await?,
            Err(error) => {
                metrics.totals.reloaded(false);
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the file is wrong, the old settings stay");
            }
        }
    }
}
