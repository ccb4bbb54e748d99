# `just` alone lists what there is.
[private]
default:
    @{{ just_executable() }} --list --unsorted

# Everything that must hold before a change lands
check: lint test deny

# Format and lints; nothing may warn
lint:
    cargo fmt --check
    cargo clippy --workspace --locked --all-targets -- -D warnings

# Run the tests; options go to `cargo test`
test *options:
    ./test {{ options }}

# Feed what reads bytes of others with bytes that nobody thought of, for so many seconds each
fuzz seconds="600" *targets:
    scripts/fuzz {{ seconds }} {{ targets }}

# Change the rules of access and tokens line by line, and see whether a test notices
mutants *files:
    scripts/mutants {{ files }}

# List everything that the program is built of
sbom file="contactpoint.cdx.json":
    scripts/sbom {{ file }}

# Make the container image, with nothing in it of when and where it was made
image name="contactpoint":
    scripts/image {{ name }}

# Licences, banned crates, sources and known vulnerabilities of what we build on
deny:
    @cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: run cargo install --locked cargo-deny"; exit 1; }
    cargo deny --locked check

# Show the service with invented children; options go to `contactpoint demo`
demo *options:
    ./demo {{ options }}

# Regenerate .sqlx, after SQL has changed
prepare:
    scripts/prepare

# Regenerate api-spec/openapi.json, after routes or types have changed
spec:
    cargo run --locked --quiet -- openapi >api-spec/openapi.json.new
    mv api-spec/openapi.json.new api-spec/openapi.json

# Build the documentation of the code
docs:
    cargo doc --locked --no-deps --document-private-items
