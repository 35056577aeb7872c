//! The binary: see the library.

// Containers run a copy of it, and have another C library or none.
#[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
compile_error!(
    "podspawn must be one static binary, and this build is not static. .cargo/config.toml asks for it, but RUSTFLAGS \
     or CARGO_ENCODED_RUSTFLAGS in the environment, even empty, replaces that: unset it, or add \
     -Ctarget-feature=+crt-static to it"
);

fn main() -> std::process::ExitCode {
    podspawn::cli::main()
}
