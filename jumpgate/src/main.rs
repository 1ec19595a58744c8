//! The binary `jumpgate`: reads the command line and runs one role or one tool.

use std::{io, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use jumpgate::{
    args::{
        Args, Command, ConnectorArgs, DEFAULT_CONFIG, control::ControlAction, edge::EdgeAction,
        manage::Target,
    },
    check::{self, Walks},
    config::{ConfigError, ConnectorSetup, Document, EdgeSetup},
    control_plane, dev, logging, manage,
    operator::{self, OperatorError},
    purge, report, roles, why,
};
use serving::{
    config::{DatabaseConfig, LogConfig},
    files::raise_limit,
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

/// Memory that is free goes back to the system within seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = raise_limit() {
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
    if let Command::Completion { shell } = &command {
        clap_complete::generate(*shell, &mut Args::command(), "jumpgate", &mut io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
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
    if let Command::Control { action: Some(ControlAction::Init { listen, store, account }) } =
        &command
    {
        report::line(&control_plane::init(&args.config, *listen, store, account).await?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(said) = managed(&args.config, &command, log).await? {
        report::line(&said);
        return Ok(ExitCode::SUCCESS);
    }
    let document = match &command {
        Command::Connector(flags) => connector_document(&args.config, flags)?,
        Command::Control { .. } => read_or(
            &args.config,
            "begin with `jumpgate control init`, or name a file with --config FILE",
        )?,
        Command::Edge { .. } | Command::Tunnel { .. } | Command::Access { .. } => {
            let remedy =
                "begin with `jumpgate edge init`, or name the edge's file with --config FILE";
            read_or(&args.config, remedy)?
        }
        _ => read_or(&args.config, "see jumpgate.example.toml, or name a file with --config FILE")?,
    };
    logging::start(&document.log()?, log)?;
    match command {
        Command::Proxy => roles::proxy::run(&args.config, document, hangups).await,
        Command::Edge { .. } => roles::outlive_hangups(hangups, roles::edge::run(&document)).await,
        Command::Control { action: Some(ControlAction::Import { folder, account, empty }) } => {
            let (setup, account) = (document.control()?, account.as_deref());
            report::line(&control_plane::import(setup, &folder, account, empty).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Control { action: Some(_rekey) } => {
            report::line(&control_plane::rekey(document.control()?).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Control { .. } => {
            roles::outlive_hangups(hangups, roles::control::run(&document)).await
        }
        Command::Tunnel { action, target } => {
            said(operator::tunnel(&document.edge_store()?, &action, target.json))
        }
        Command::Access { action, target } => {
            said(operator::access(&document.edge_store()?, &action, target.json))
        }
        Command::Connector(_) => {
            roles::outlive_hangups(hangups, roles::connector::run(&document)).await
        }
        Command::Check { name, .. } => check_way(&document, &name).await,
        Command::Why { name, sql, explain_file } => {
            explain(&document, &name, sql, explain_file.as_deref()).await
        }
        Command::Purge { name, tables, .. } => forget(&document, &name, &tables).await,
        // They have no file, or one of their own, and were run above.
        Command::Dev(_) | Command::Manage(_) | Command::Top(_) | Command::Completion { .. } => {
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What a control plane says to a tool that asks one; nothing where the tool goes by a file of its own.
async fn managed(
    config: &Path,
    command: &Command,
    log: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let start =
        || logging::start(&LogConfig { filter: String::from("warn"), ..LogConfig::default() }, log);
    Ok(Some(match command {
        Command::Manage(tool) => {
            start()?;
            manage::run(config, tool).await?
        }
        // It writes no log over its screen.
        Command::Top(seen) => manage::top(config, seen).await?,
        Command::Tunnel { action, target } if manage::is_asked(config, target) => {
            start()?;
            manage::tunnel(config, target, action).await?
        }
        Command::Access { action, target } if manage::is_asked(config, target) => {
            start()?;
            manage::access(config, target, action).await?
        }
        Command::Check { name, target } if !is_proxys(config, target) => {
            start()?;
            manage::check(config, target, name).await?
        }
        Command::Purge { name, tables, target } if !is_proxys(config, target) => {
            start()?;
            manage::purge(config, target, name, tables).await?
        }
        _ => return Ok(None),
    }))
}

/// Whether the file is that of one proxy, and no flag says to ask a control plane.
fn is_proxys(config: &Path, target: &Target) -> bool {
    let is_proxys = |document: Document| document.has_proxy();
    target.api_url.is_none() && Document::read(config).map_or_else(|_| config.exists(), is_proxys)
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
    if document.follows() {
        let followed = document.follow().and_then(|_setup| document.advertised());
        of_role(followed.map(|_advertised| String::from("follower of a control node")));
    }
    if document.has_control() {
        of_role(document.control().map(|_control| String::from("control")));
    }
    anyhow::ensure!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    document.log()?;
    anyhow::ensure!(!roles.is_empty(), "{}: there is nothing in it for any role", path.display());
    report::line(&format!("{}: good, {}", path.display(), roles.join(", ")));
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

/// The `[[database]]` that a tool was asked about.
fn database(document: &Document, name: &str) -> anyhow::Result<Arc<DatabaseConfig>> {
    let config = document.proxy()?;
    let found = config.databases.iter().find(|database| database.name == name);
    found.cloned().with_context(|| {
        let names = config.databases.iter().map(|database| format!("{:?}", database.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let has = if names.is_empty() { "none" } else { &names };
        let mut said = format!("the file has no [[database]] with the name {name:?}; it has {has}");
        if document.follows() {
            said += "; a config of the control node is checked with --api-url and --api-token, or in its dashboard";
        }
        said
    })
}

async fn check_way(document: &Document, name: &str) -> anyhow::Result<ExitCode> {
    let database = database(document, name)?;
    let walk = Walks::to(&database).await;
    report::line(&format!("The way to {name:?}:"));
    let (captured, is_captured) = match walk.used() {
        Some(host) => {
            let hosts = &database.origin.hosts;
            let _on = hosts.choose(hosts.choice(), host);
            check::capture(&database).await
        }
        None => (Vec::new(), true),
    };
    for line in walk.lines().iter().chain(&captured) {
        report::line(line);
    }
    let is_complete = walk.is_complete() && is_captured;
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn explain(
    document: &Document,
    name: &str,
    sql: Option<String>,
    file: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let database = database(document, name)?;
    let explained = match (file, sql.filter(|sql| sql != "-")) {
        (Some(file), _) => why::explain_script(&database, &why::read_script(file)?).await,
        (None, Some(sql)) => why::explain(&database, &sql).await,
        (None, None) => why::explain(&database, &why::read_statement(io::stdin())?).await,
    };
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
