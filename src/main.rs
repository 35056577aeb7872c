//! The binary: see the library.

fn main() -> std::process::ExitCode {
    podspawn::cli::main()
}
