# docker build -t camera-monitor .
#
# docker run --network host --user "$(id -u):$(id -g)" \
#     -v ./camera_database.json:/app/camera_database.json -v camera-monitor:/app/data \
#     -v camera-monitor-media:/app/media camera-monitor
#
# --network host: cameras are discovered by broadcast, which does not cross Docker's bridge.
#     Without it (-p 5000:5000) no camera is found, and the page refuses requests from outside
#     the container.
# --user: lets the container write a camera_database.json that belongs to you.

FROM python:3.12.12-slim-bookworm AS packages
WORKDIR /build
COPY requirements-uv.txt requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.txt \
    && python -m venv --without-pip /venv \
    && uv pip install --no-cache --compile-bytecode --python /venv/bin/python \
        --require-hashes -r requirements.txt

FROM python:3.12.12-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# The user of --user can add files here, but not replace the code (hence the sticky bit).
RUN mkdir -p data media && chmod 1777 . data media
USER 1000:1000
VOLUME /app/data /app/media
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "\
import http.client, os, sys; \
monitor = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT', 5000)), timeout=4); \
monitor.request('GET', '/healthz'); \
sys.exit(monitor.getresponse().status != 200)"]
CMD ["python", "app.py"]
