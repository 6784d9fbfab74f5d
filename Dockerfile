# The image with an engine that builds; `cargo xtask image` makes the same without one. See docs/containers.md.

FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
RUN cargo rustc --release --locked --package zaffre --bin zaffre -- -C target-feature=+crt-static \
 && install -D --mode=0755 target/release/zaffre /image/bin/zaffre \
 && install --directory --mode=0700 /image/data

FROM scratch
COPY --from=build /image/ /
ENV PATH="/bin"
ENV ZAFFRE_HOME="/data"
ENV ZAFFRE_LISTEN="0.0.0.0"
ENV ZAFFRE_SELF="docker exec zaffre zaffre"
EXPOSE 10080 10443 10000 8081 10082
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
  CMD ["/bin/zaffre", "status"]
ENTRYPOINT ["/bin/zaffre"]
CMD ["up"]
