# weir in a container. `docker build -t weir .` makes the program's image; compose.yaml runs the
# incident with it. Everything installed is a Debian package.
ARG DEBIAN=12.11-slim

# ---- built with what `./dev setup build` names, and in no image that runs ----
FROM debian:${DEBIAN} AS build
WORKDIR /src
COPY dev ./
RUN ./dev setup build
COPY . .
RUN ./dev build

# ---- the program, the libraries it is linked with, and a user without rights ----
FROM debian:${DEBIAN} AS weir
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libc-ares2 libjansson4 libmnl0 libssl3 libuv1 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 weir \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin weir
COPY --from=build /src/build/weir /usr/bin/weir
USER 10001:10001
ENTRYPOINT ["weir"]
CMD ["--help"]

# ---- the same, and the incident's middleware in Node ----
FROM weir AS node
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends nodejs \
    && rm -rf /var/lib/apt/lists/*
COPY lab/middlewares/node.js /usr/share/weir/node.js
USER 10001:10001
ENTRYPOINT ["node"]
CMD ["/usr/share/weir/node.js"]

# ---- what a build without a target makes ----
FROM weir
