# A host that grades a class:
#   docker build -t convgrader .
#   docker run --rm --network none --user "$(id -u)" -v "$PWD:/work" convgrader class handed-in --gradebook course.db
# The default seccomp profile of Docker allows isolation level 2; check it with `docker run --rm convgrader doctor`.
FROM python:3.12-slim
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
# torch first, in its own layer: it is nine tenths of the image and seldom changes.
COPY constraints.txt /src/constraints.txt
RUN python -I -m venv /opt/convgrader
RUN /opt/convgrader/bin/pip install --index-url https://download.pytorch.org/whl/cpu "$(grep ^torch== /src/constraints.txt)"
COPY . /src
RUN /opt/convgrader/bin/pip install -c /src/constraints.txt "/src[class]" && rm -rf /src
RUN useradd --create-home --uid 1000 grader
USER grader
WORKDIR /work
ENTRYPOINT ["/opt/convgrader/bin/grade"]
CMD ["--help"]
