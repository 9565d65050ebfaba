// The page /verify with an answer on it: the answer is checked here too, and the
// next code can be read.
import "./verdict.js";
import "./scan.js";
