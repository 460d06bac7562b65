# Two commands do everything: `make results` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: results test check lint bench scale table1 errata tradeoff ways jpeg encoder gridding flicker walk
.DELETE_ON_ERROR:

results: .venv/installed
	$(BIN)/python preprocessing/01_get_photos.py
	$(BIN)/python preprocessing/02_build_shards.py
	$(BIN)/python results/07_evaluate.py
	$(BIN)/python results/08_make_figures.py
	@echo "The figures are in results/figures/: result32.png, result64.png, result128.png"

# In three processes, none above 2 GB: what TensorFlow and Typst take, they do not give back.
test: .venv/installed
	$(BIN)/python -m pytest tests/test_[a-d]*.py
	$(BIN)/python -m pytest tests/test_[e-r]*.py
	$(BIN)/python -m pytest tests/test_[s-z]*.py

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint test

bench: .venv/installed
	$(BIN)/python results/studies/bench.py $(if $(DATA),--data $(DATA))

scale: .venv/installed
	$(BIN)/python results/studies/scale.py

# The original measured again. DATA, DATA_128: photographs with their shards built; PUBLISHED: the original's result32.png.
table1: .venv/installed
	$(BIN)/python results/studies/table1.py $(if $(DATA),--data $(DATA))

errata: .venv/installed
	$(BIN)/python results/studies/errata.py $(if $(DATA),--data $(DATA)) $(if $(DATA_128),--data-128 $(DATA_128)) \
	  $(if $(PUBLISHED),--published $(PUBLISHED))

tradeoff: .venv/installed
	$(BIN)/python results/studies/tradeoff.py $(if $(DATA),--data $(DATA))

ways: .venv/installed
	$(BIN)/python results/studies/ways.py $(if $(DATA),--data $(DATA))

jpeg: .venv/installed
	$(BIN)/python results/studies/jpeg.py $(if $(DATA),--data $(DATA))

encoder: .venv/installed
	$(BIN)/python results/studies/encoder.py $(if $(DATA),--data $(DATA))

# WEIGHTS: seven-layer networks at 128 px, before a mend and after.
gridding: .venv/installed
	$(BIN)/python results/studies/gridding.py --weights $(WEIGHTS)

flicker: .venv/installed
	$(BIN)/python results/studies/flicker.py $(FILMS)

walk: .venv/installed
	$(BIN)/python results/studies/walk.py --data $(DATA) --film $(FILM)

# OpenCV's usual wheel needs the system's libGL; on a bare server its headless twin takes its place.
.venv/installed: setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,tune,web,film,photographs,pretrained,report,cluster]"
	@$(BIN)/python -c "import cv2" 2>/dev/null || { \
	  version=$$($(BIN)/pip list --format=freeze | sed -n 's/^opencv-python==//p'); \
	  echo "libGL is missing on this machine: opencv-python-headless $$version takes the place of opencv-python in .venv"; \
	  $(BIN)/pip uninstall --quiet --yes opencv-python && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps opencv-python-headless==$$version && \
	  $(BIN)/python -c "import cv2"; }
	@touch $@
