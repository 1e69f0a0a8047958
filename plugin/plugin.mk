# Compiles the plugin inside a Darknet tree; included by Darknet's Makefile (patch 0009), which sets PLUGIN to this folder.
#
# The plugin has its own flags on purpose: Darknet's $(OPTS) may turn NaN tests into constants, and masks must not depend on it. Without contraction
# a sum of products rounds the same everywhere: what it decides stands in files.

# ONEDNN=0 leaves out fast training (and oneDNN, which Debian has for x86_64 alone).
ONEDNN ?= $(if $(filter x86_64,$(shell uname -m)),1,0)

PLUGIN_CFLAGS ?= -O3 -g
PLUGIN_WARN = -std=c11 -ffp-contract=off -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Werror -fPIC
PLUGIN_SRC = $(notdir $(wildcard $(PLUGIN)/*.c))
PLUGIN_OBJ = $(addprefix $(OBJDIR)prune_,$(PLUGIN_SRC:.c=.o))

OBJS += $(PLUGIN_OBJ)
DEPS += $(PLUGIN)/prune_hooks.h
COMMON += -I$(PLUGIN)
LDFLAGS += -lz -lcjson
ifeq ($(ONEDNN),1)
PLUGIN_WARN += -DPRUNE_ONEDNN
LDFLAGS += -ldnnl -lgomp
endif

$(OBJDIR)prune_%.o: $(PLUGIN)/%.c $(wildcard $(PLUGIN)/*.h) $(DEPS)
	$(CC) $(filter-out -Iinclude/ -Isrc/,$(COMMON)) -isystem include $(PLUGIN_WARN) $(PLUGIN_CFLAGS) -c $< -o $@
