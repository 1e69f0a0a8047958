# Compact networks in OpenCV's DNN module, which reads Darknet's cfgs and weights by a reader of its own (4.6): masked weights under the old cfg and the compact network give
# the same outputs to 1e-5 of the largest; and the compact network gives what Darknet gives, to 1e-4. Only compared inside of OpenCV: the heads of detectors, as its [yolo] and
# [region] give boxes in place of raw outputs, and softmax with a temperature (cifar.test) or a tree (darknet9000), which it does not know.
#
# It does not read [crop] (vgg-16, strided), [local] and [detection] (yolov1, yolov1-tiny, t1.test), [rnn] and [gru], yolo9000's tree, and a shortcut between layers
# of unequal sizes (all resnets and resnexts). Its softmax of go and go.test is over their single channel and gives ones, which would prove nothing.
. tests/tap.sh
need_tree "$DARKNET" "$REFERENCE/libdarknet.a" "$PRISTINE/cfg"
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1     # most of the time goes into memory that is touched for the first time
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
S=$SCRATCH darknet=$(absolute "$DARKNET") cfgs=$(absolute "$PRISTINE")/cfg
classifiers="alexnet cifar darknet darknet19 darknet19_448 darknet53 darknet53_448 densenet201 extraction extraction.conv extraction22k jnet-conv tiny
    vgg-conv writing lenet-300-100 lenet-300-100-prune95 lenet-300-100-prune98 lenet-5 lenet-5-prune98 mobilenet-fashion"
others="cifar.test darknet9000 yolov2-tiny-voc yolov2-tiny yolov2-voc yolov2 yolov3-openimages yolov3-spp yolov3-tiny yolov3-voc yolov3"

check "opencv_outputs.cpp compiles" sh -c "g++ -O2 -Wall -Wextra -Werror \$(pkg-config --cflags opencv4) tests/host/opencv_outputs.cpp -lopencv_dnn -lopencv_core -o '$S/opencv_outputs'"
check "outputs.c compiles" gcc -O2 -I"$REFERENCE/include" tests/host/outputs.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/outputs"
check "random_weights.c compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/random_weights.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/random_weights"

# close <tolerance> <numbers> <numbers>: as many, not all the same, and their largest difference is below the tolerance times the largest number
close() {
    [ "$(wc -l <"$2")" -eq "$(wc -l <"$3")" ] && paste "$2" "$3" | awk -v tolerance="$1" '
        $1 == "blob" { if ($2 != $4) bad = 1; next }
        { d = $1 - $2; if (d < 0) d = -d; m = $1 < 0 ? -$1 : $1; if (m > max) max = m; if (d > worst) worst = d; if (n++ == 0) first = $1; if ($1 != first) other = 1; if (d != d) bad = 1 }
        END { print NR, "numbers, worst difference", worst, "largest", max; exit bad || !(max > 0 && other && worst <= tolerance * max) }'
}

# one <name> <kind>: prints its lines
one() {
    local name=$1 f=$S/$1 from=$cfgs/$1.cfg size=64
    [ -e "$from" ] || from=$ROOT/cfg/$name.cfg
    case $name in cifar* | jnet-conv | alexnet | lenet* | mobilenet*) size= ;; writing) size=128 ;; esac
    mkdir "$f"
    LOG=$f/log
    sed -e 's/\r$//' -e '/^ *batch *=/c batch=1' -e '/^ *subdivisions *=/c subdivisions=1' -e '/^prune_/d' ${size:+-e "s/^ *\(width\|height\) *=.*/\1=$size/"} "$from" >"$f/net.cfg"
    check "$name: random weights" "$S/random_weights" "$f/net.cfg" "$f/net.weights" 11
    check "$name: half of the filters go" "$darknet" prune "$f/net.cfg" "$f/net.weights" -granularity filter -sparsity .5 -masked "$f/masked.weights" -out "$f/compact"
    "$S/opencv_outputs" "$f/net.cfg" "$f/masked.weights" >"$f/masked.txt" 2>>"$LOG"
    "$S/opencv_outputs" "$f/compact.cfg" "$f/compact.weights" >"$f/compact.txt" 2>>"$LOG"
    check "$name: masked and compact are the same in OpenCV$([ "$2" = classifier ] || echo " (compared there only)")" close 1e-5 "$f/masked.txt" "$f/compact.txt"
    if [ "$2" = classifier ]; then
        "$S/outputs" "$f/compact.cfg" "$f/compact.weights" 2>>"$LOG" >"$f/eight.txt"
        sed 1d "$f/compact.txt" >"$f/opencv.txt"
        head -n "$(wc -l <"$f/opencv.txt")" "$f/eight.txt" >"$f/darknet.txt"
        check "$name: the compact network gives in OpenCV what it gives in Darknet" close 1e-4 "$f/opencv.txt" "$f/darknet.txt"
    fi
    rm -f "$f"/*.weights "$f"/*.txt
}

cd "$REFERENCE" || exit 1               # where data/9k.tree is
for name in $others $classifiers; do
    free_cores
    case " $others " in *" $name "*) kind=other ;; *) kind=classifier ;; esac
    one "$name" $kind >"$S/$name.tap" 2>>"$S/stderr" &
done
gather
finish
