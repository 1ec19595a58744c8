# jumpgate in a small image. All roles are this one binary: `docker run IMAGE edge -c FILE`.
#
#   docker build -t jumpgate .                      compiles it inside the image
#   docker build -t jumpgate --target prebuilt .    takes target/release/jumpgate from this folder
#
# The stages stand in this order because docker's classic builder makes every stage above its target:
# "prebuilt" must not need the Rust image.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${DEBIAN_IMAGE} AS runtime
# The public roots, and openssl with them. An image that has them already needs no network here.
RUN test -e /etc/ssl/certs/ca-certificates.crt \
    || (apt-get update && apt-get install -y --no-install-recommends ca-certificates openssl \
        && rm -rf /var/lib/apt/lists/*)
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jumpgate
ENTRYPOINT ["/usr/local/bin/jumpgate"]
CMD ["proxy", "-c", "/etc/jumpgate/jumpgate.toml"]
EXPOSE 6432 6306

FROM runtime AS prebuilt
ARG BINARY=target/release/jumpgate
COPY ${BINARY} /usr/local/bin/jumpgate
USER jumpgate

FROM ${RUST_IMAGE} AS build
# pg_query makes its Rust bindings with libclang.
RUN apt-get update && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# Twice the time to build, and some 4 % less CPU time to run (BENCHMARKS.md): what is built once and run for long.
# --build-arg LTO=thin for a machine with little time or memory.
ARG LTO=fat
ENV CARGO_PROFILE_RELEASE_LTO=${LTO} CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
RUN cargo build --release --locked -p jumpgate --bin jumpgate

FROM runtime AS jumpgate
COPY --from=build /source/target/release/jumpgate /usr/local/bin/jumpgate
USER jumpgate
