//! The command line.

fn main() -> std::process::ExitCode {
    halfway::cli::main()
}
