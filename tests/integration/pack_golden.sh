# Golden files of packed weights: the packer makes the same bytes as ever, and two decoders that share no line, the plugin's and tests/pweights.py, read the same weights from them.
. tests/tap.sh
need_tree "$DARKNET" tests/golden
export PYTHONDONTWRITEBYTECODE=1
golden=$PWD/tests/golden decoder=$PWD/tests/pweights.py
case $DARKNET in /*) darknet=$DARKNET ;; *) darknet=$PWD/$DARKNET ;; esac
mkdir "$SCRATCH/unpacked" "$SCRATCH/decoded"
check "the golden files are made anew" "$golden/make" "$darknet" "$SCRATCH/made"
for file in "$golden"/*.pweights; do
    name=$(basename "$file" .pweights)
    check "$name: the same bytes" cmp "$SCRATCH/made/$name.pweights" "$file"
    check "$name: unpack reads it" "$darknet" prune unpack "$golden/$name.cfg" "$file" -out "$SCRATCH/unpacked/$name"
    check "$name: tests/pweights.py reads it" "$decoder" "$file" "$SCRATCH/decoded/$name.weights"
    check "$name: what was unpacked can be packed and unpacked again" sh -c "'$darknet' prune pack '$golden/$name.cfg' '$SCRATCH/unpacked/$name.weights' -out '$SCRATCH/again' &&
        '$darknet' prune unpack '$golden/$name.cfg' '$SCRATCH/again.pweights' -out '$SCRATCH/again' && cmp '$SCRATCH/again.weights' '$SCRATCH/unpacked/$name.weights'"
done
for by in made unpacked decoded; do check "$by: the weights have the sums of old" sh -c "cd '$SCRATCH/$by' && sha256sum -c --strict '$golden/SHA256SUMS'"; done
check "the files are written as they were" cmp "$SCRATCH/made/LIST" "$golden/LIST"
kinds() {
    local what
    for what in ' f32 coded' ' f32 fixed' ' f16 coded' ' f16 fixed' 'codebook([2-9]) coded' 'codebook([2-9]) fixed' 'codebook(1)' 'positions all' 'positions bitmap' 'positions gaps' live-rows live-columns \
        'live-rows+live-columns' transposed 'tiles 1x9' 'tiles 4x1' 'tiles 4x9' 'live 0/0' ' biases' ' scales' ' means' ' variances' lstm gru local; do
        grep -q -- "$what" "$golden/LIST" || { echo "none with $what" && return 1; }
    done
}
check "every kind of array, values, symbols, positions and tiles is among them" kinds

# Files with every choice that the format leaves to a writer, made at random.
cat >"$SCRATCH/random.py" <<'END'
import sys
sys.path.insert(0, "tests")
import pweights_write
for seed in range(int(sys.argv[1])):
    layers = pweights_write.random_layers(seed)
    for ending, data in ("pweights", pweights_write.seal(pweights_write.payloads_of(layers, seen=seed))), ("weights", pweights_write.weights_of(layers, seen=seed)):
        with open("%s/%d.%s" % (sys.argv[2], seed, ending), "wb") as file:
            file.write(data)
END
mkdir "$SCRATCH/random"
check "random files are written" python3 "$SCRATCH/random.py" 150 "$SCRATCH/random"
as_written() {
    local seed
    for seed in $(seq 0 149); do
        "$darknet" prune unpack "$golden/foreign.cfg" "$SCRATCH/random/$seed.pweights" -out "$SCRATCH/random/unpacked" || return 1
        cmp "$SCRATCH/random/unpacked.weights" "$SCRATCH/random/$seed.weights" || return 1
    done
}
check "unpack reads files with any choice of values, symbols, tiles, bitmaps and positions" as_written
check "tests/pweights.py reads one" sh -c "'$decoder' '$SCRATCH/random/7.pweights' '$SCRATCH/7.weights' && cmp '$SCRATCH/7.weights' '$SCRATCH/random/7.weights'"
finish
