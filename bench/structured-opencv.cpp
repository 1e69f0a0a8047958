// structured-opencv.cpp - the time per image of a dense and a compact network in OpenCV's DNN module, in turn
//
// structured-opencv <cfg> <weights> <compact cfg> <compact weights> <pairs> <threads> <width> <height>: prints "ms_dense ms_compact": medians, batch 1
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <opencv2/dnn.hpp>

static double predict(cv::dnn::Net &net, const cv::Mat &image)
{
    std::vector<cv::Mat> outputs;
    int64 start = cv::getTickCount();
    net.setInput(image);
    net.forward(outputs, net.getUnconnectedOutLayersNames());
    return 1e3 * (double)(cv::getTickCount() - start) / cv::getTickFrequency();
}

static double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int main(int argc, char **argv)
{
    if (argc < 9) return 2;
    int pairs = std::atoi(argv[5]);
    cv::setNumThreads(std::atoi(argv[6]));
    int sizes[4] = {1, 3, std::atoi(argv[8]), std::atoi(argv[7])};
    cv::Mat image(4, sizes, CV_32F);
    cv::randu(image, 0, 1);
    cv::dnn::Net nets[2] = {cv::dnn::readNetFromDarknet(argv[1], argv[2]), cv::dnn::readNetFromDarknet(argv[3], argv[4])};
    std::vector<double> ms[2];
    for (cv::dnn::Net &net : nets) {
        net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        predict(net, image);                    // sets everything up
    }
    for (int i = 0; i < pairs; i++)
        for (int half = 0; half < 2; half++) {
            int which = half ^ (i % 2);         // neither always has the warmer caches
            ms[which].push_back(predict(nets[which], image));
        }
    std::printf("%.3f %.3f\n", median(ms[0]), median(ms[1]));
    return 0;
}
