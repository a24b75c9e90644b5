# A static binary on an empty image. Build: docker build -t loadgen .
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
RUN cargo build --release --locked && strip target/release/loadgen

FROM scratch
COPY --from=build /src/target/release/loadgen /loadgen
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
WORKDIR /results
ENTRYPOINT ["/loadgen"]
