# The service in a container: docker build -t contactpoint . With nothing in it of when it is made: scripts/image
# As `rust-version` in Cargo.toml says.
ARG RUST=docker.io/library/rust:1.95-slim-bookworm
ARG DEBIAN=docker.io/library/debian:bookworm-slim
FROM $RUST AS build
WORKDIR /source
COPY . .
# Nothing is kept of a build before, that could make this one another; the allocator's C code would hold the time of its making.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    SOURCE_DATE_EPOCH=0 cargo build --release --locked --bin contactpoint

FROM $DEBIAN
COPY --from=build /source/target/release/contactpoint /contactpoint
# By which the published keys of clients and issuers are fetched.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Whoever runs it owns nothing but the folder of the secrets; a new volume there takes its owner and mode.
RUN install -d -o 10001 -g 10001 -m 0700 /keys
USER 10001:10001
ENV CONTACTPOINT_KEYS=/keys CONTACTPOINT_LISTEN=0.0.0.0:8080
EXPOSE 8080
# Probes belong to whoever runs it, which tells "restart it" (/health/live) from "send it nothing" (/health/ready);
# one check in here could not, and would need a program to make requests with.
HEALTHCHECK NONE
STOPSIGNAL SIGTERM
ENTRYPOINT ["/contactpoint"]
CMD ["serve"]
