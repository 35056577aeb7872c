{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
  coreutils,
  pkgs,
}:

let
  # .cargo/config.toml asks for a static binary, and cargo reads no flags there where the environment has some, be it none:
  # those of the builder, and this one, then.
  keepStatic = ''
    if [ -n "''${CARGO_ENCODED_RUSTFLAGS+set}" ]; then
      export CARGO_ENCODED_RUSTFLAGS="''${CARGO_ENCODED_RUSTFLAGS:+$CARGO_ENCODED_RUSTFLAGS"$'\x1f'"}-Ctarget-feature=+crt-static"
    elif [ -n "''${RUSTFLAGS+set}" ]; then
      export RUSTFLAGS="$RUSTFLAGS -Ctarget-feature=+crt-static"
    fi
  '';
in
rustPlatform.buildRustPackage {
  pname = "podspawn";
  inherit ((lib.importTOML ../Cargo.toml).package) version;

  # The files that cargo reads and those that are installed: a change of the documents or the module's tests causes no build.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../.cargo
      ../Cargo.lock
      ../Cargo.toml
      ../src
      ../systemd
      # Cargo.toml names targets there.
      (lib.fileset.difference ../tests ../tests/nix)
    ];
  };

  cargoLock.lockFile = ../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # One static binary: containers that have another C library, or none, run a copy of it. .cargo/config.toml asks for
  # it, and glibc has its static half in an output of its own. The shared half is looked through first: build scripts
  # and procedural macros are not static, and would get the libc.a of a directory that comes before it.
  buildInputs = lib.optionals stdenv.hostPlatform.isGnu [
    stdenv.cc.libc.out
    stdenv.cc.libc.static
  ];

  postPatch = ''
    substituteInPlace systemd/*.service \
      --replace-fail @bin@ "$out/bin/podspawn"
    # NixOS's systemd looks for programs without a path in its own package alone.
    substituteInPlace systemd/podspawn-broker.service \
      --replace-fail ExecReload=kill ExecReload=${coreutils}/bin/kill
    substituteInPlace systemd/user@.service.d/podspawn.conf \
      --replace-fail "id -Gn" "${coreutils}/bin/id -Gn"
  '';

  preBuild = keepStatic;
  preCheck = keepStatic;

  # What is above the configuration wants sshd, systemd and an engine: tests/run has them.
  cargoTestFlags = [ "--lib" ];
  checkFlags = [
    "config::"
    "domain::"
    "policy::"
    "protocol::"
  ];

  postInstall = ''
    install -D -m 0444 -t "$out/lib/systemd/system" systemd/*.service systemd/*.socket systemd/*.timer
    install -D -m 0444 -t "$out/lib/systemd/system/user@.service.d" systemd/user@.service.d/*.conf
    install -D -m 0444 -t "$out/lib/systemd/catalog" systemd/catalog/*.catalog
    install -D -m 0444 -t "$out/share/podspawn/prometheus" systemd/prometheus/*.yml
    install -D -m 0444 -t "$out/share/podspawn/grafana" systemd/grafana/*.json
  ''
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    "$out/bin/podspawn" man man
    installManPage man/man?/*
    for shell in bash zsh fish; do
      "$out/bin/podspawn" completions $shell >podspawn.$shell
    done
    installShellCompletion podspawn.{bash,zsh,fish}
  '';

  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    # On its own, so that a readelf that is not there is no static binary.
    headers=$(''${READELF:-readelf} --program-headers --wide "$out/bin/podspawn")
    if grep INTERP <<<"$headers"; then
      echo "the binary is not static" >&2
      exit 1
    fi
    runHook postInstallCheck
  '';

  passthru.tests = import ./tests { inherit pkgs; };

  meta = {
    description = "Gives each user who logs in over ssh a container of its own";
    # The file beside the code is the only one.
    changelog = "file://${../CHANGELOG.md}";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "podspawn";
    maintainers = [ ];
    # Those that .cargo/config.toml names.
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
    ];
  };
}
