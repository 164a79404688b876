# The public names, each once: types for checkers, and what `__init__.py` loads on first use.

from .allocation.audit_results import AuditOptions as AuditOptions
from .allocation.audit_results import TitleAudit as TitleAudit
from .allocation.cost import Prices as Prices
from .allocation.design import DesignOptions as DesignOptions
from .allocation.design import TitleLadder as TitleLadder
from .allocation.ladder_rules import LadderRules as LadderRules
from .allocation.results import Allocation as Allocation
from .allocation.results import Certificate as Certificate
from .allocation.results import Plan as Plan
from .allocation.shot_rules import ShotRules as ShotRules
from .allocation.title_plan import Limits as Limits
from .delivery.deviation import Tolerance as Tolerance
from .delivery.packaging import Packaging as Packaging
from .errors import AbrAllocError as AbrAllocError
from .models.checkpoint import Model as Model
from .models.checkpoint import load_model as load_model
from .runs.audit_run import Audits as Audits
from .runs.audit_run import audit as audit
from .runs.encode_run import EncodeResult as EncodeResult
from .runs.encode_run import encode as encode
from .runs.export_run import Exported as Exported
from .runs.export_run import export as export
from .runs.extract_run import extract as extract
from .runs.feedback import Feedback as Feedback
from .runs.ladder_run import Ladders as Ladders
from .runs.ladder_run import ladder as ladder
from .runs.lint_run import LintResult as LintResult
from .runs.lint_run import lint as lint
from .runs.measure_run import measure_renditions as measure_renditions
from .runs.plan_run import PlanResult as PlanResult
from .runs.plan_run import plan as plan
from .runs.relevance_run import RelevanceResult as RelevanceResult
from .runs.relevance_run import relevance as relevance
from .runs.report_run import ReportPage as ReportPage
from .runs.report_run import report as report
from .runs.verify_run import VerifyResult as VerifyResult
from .runs.verify_run import verify as verify
from .table.table import FeatureTable as FeatureTable
from .table.table import read_features as read_features

__version__: str
