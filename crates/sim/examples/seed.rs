//! Runs one seed and prints its report: `cargo run -p sim --example seed -- 7`. With a second number: that many seeds
//! from the first one on. `RUST_LOG=sim=debug,chain=debug` tells the story.

fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>());
    let (Some(Ok(first)), count) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: seed FIRST [COUNT]");
        std::process::exit(2);
    };
    let count = count.and_then(Result::ok).unwrap_or(1);
    let mut broken = 0;
    for seed in first..first + count {
        let report = sim::run(seed);
        broken += u64::from(!report.violations.is_empty());
        println!(
            "{}",
            serde_json::to_string(&report).expect("a report is JSON")
        );
    }
    std::process::exit(i32::from(broken > 0));
}
