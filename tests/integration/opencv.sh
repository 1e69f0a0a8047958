# The build with OPENCV=1: it loads images through OpenCV and comes to the same predictions; it prunes like the plain build.
. tests/tap.sh
opencv=$BUILD/opencv/darknet
check "OpenCV is linked in" sh -c "ldd '$opencv' | grep -q libopencv_core"
mnist_part 60 "$SCRATCH/d"
check "prune train runs" "$opencv" prune train "$SCRATCH/d/mnist.data" cfg/lenet-300-100-prune95.cfg -iterations 6 -backup "$SCRATCH"
check "prune report runs" "$opencv" prune report cfg/lenet-300-100-prune95.cfg "$SCRATCH/lenet-300-100-prune95_final.weights"

# An image that comes with Darknet, and a net with random weights: top-1 lines of both builds.
printf '[net]\nheight=32\nwidth=32\nchannels=3\n\n[convolutional]\nfilters=4\nsize=3\nstride=1\nactivation=leaky\n\n[avgpool]\n\n[softmax]\n' >"$SCRATCH/net.cfg"
printf 'a\nb\nc\nd\n' >"$SCRATCH/names"
printf 'classes=4\nnames=%s\ntop=4\n' "$SCRATCH/names" >"$SCRATCH/net.data"
# 4 biases and 108 weights, little-endian floats of either sign between 2^-4 and 2^-1
RANDOM=7
random_floats() { for _ in $(seq "$1"); do printf "\\$(printf %03o $((RANDOM % 256)))\\$(printf %03o $((RANDOM % 256)))\\$(printf %03o $((RANDOM % 256)))\\$(printf %03o $((61 + 128 * (RANDOM % 2))))"; done; }
{ head -c 4 /dev/zero; printf '\002\000\000\000'; head -c 12 /dev/zero; random_floats 112; } >"$SCRATCH/net.weights"
predict() { "$1" classifier predict "$SCRATCH/net.data" "$SCRATCH/net.cfg" "$SCRATCH/net.weights" "$BUILD/pristine/data/dog.jpg" 2>>"$LOG" | grep '%' | sed "s/\.[0-9]*%/%/"; } # whole percents: the two JPEG decoders may differ in the last bit
predict "$opencv" >"$SCRATCH/opencv.txt"
predict "$DARKNET" >"$SCRATCH/plain.txt"
check "classifier predict gives four different lines" test "$(sort -u "$SCRATCH/opencv.txt" | wc -l)" -eq 4
check "classifier predict: what the plain build says" cmp "$SCRATCH/opencv.txt" "$SCRATCH/plain.txt"
finish
